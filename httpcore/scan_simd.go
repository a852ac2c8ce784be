//go:build goexperiment.simd && amd64

package httpcore

import (
	"math/bits"
	"simd/archsimd"
)

// The scans with the vectors of AVX2, for builds with GOEXPERIMENT=simd: they pay where a head has many fields and long ones,
// and give nothing where it has one. A CPU without AVX2 gets what other builds have.

// wide says that the CPU has AVX2.
var wide = archsimd.X86.AVX2()

// rows hold the classes for a look-up by halves of a byte: bit h of rows[c][l] says that the byte of the halves h and l is
// of class 1<<c. Bytes from 128 on are of none that is looked up so.
var rows = classRows()

func classRows() (t [8][16]uint8) {
	for c := range t {
		for x := range 128 {
			if class[x]&(1<<c) != 0 {
				t[c][x&15] |= 1 << (x >> 4)
			}
		}
	}
	return t
}

// columns[h] is the bit of rows for the upper half h.
var columns = [16]uint8{1, 2, 4, 8, 16, 32, 64, 128}

// scanSet is scanClass where the class is one of those of names and targets, which have no bytes from 128 on.
func scanSet(b []byte, i int, c uint8) int {
	if !wide || len(b)-i < 16 {
		return scanClass(b, i, c)
	}
	row := archsimd.LoadUint8x16(&rows[bits.TrailingZeros8(c)&7])
	column := archsimd.LoadUint8x16(&columns)
	half := archsimd.BroadcastUint8x16(15)
	var none archsimd.Uint8x16
	for ; len(b)-i >= 16; i += 16 {
		x := archsimd.LoadUint8x16((*[16]uint8)(b[i:]))
		low := row.PermuteOrZero(x.And(half).AsInt8x16())
		high := column.PermuteOrZero(x.AsUint16x8().ShiftAllRight(4).AsUint8x16().And(half).AsInt8x16())
		if m := low.And(high).Equal(none).ToBits(); m != 0 {
			return i + bits.TrailingZeros16(m)
		}
	}
	return scanClass(b, i, c)
}

// scanToken returns the index of the first byte of b from i on that no token may hold, or len(b).
func scanToken(b []byte, i int) int { return scanSet(b, i, tokenByte) }

// scanValue returns the index of the first byte of b from i on that no field value may hold, or len(b).
func scanValue(b []byte, i int) int {
	if !wide || len(b)-i < 32 {
		return scanWords(b, i)
	}
	last, del := archsimd.BroadcastUint8x32(' '-1), archsimd.BroadcastUint8x32(0x7f)
	for len(b)-i >= 32 {
		x := archsimd.LoadUint8x32((*[32]uint8)(b[i:]))
		m := x.Min(last).Equal(x).Or(x.Equal(del)).ToBits()
		if m == 0 {
			i += 32
			continue
		}
		i += bits.TrailingZeros32(m)
		if b[i] != '\t' {
			archsimd.ClearAVXUpperBits()
			return i
		}
		i++
	}
	archsimd.ClearAVXUpperBits()
	return scanWords(b, i)
}
