// Package apikey finds whose a key is that a client sent.
//
// Keys are stored as their SHA-256, so that whoever reads the configuration can't use them. There is no salt and no
// stretching: a key is no password but a random text, of 128 bits or more, which nobody guesses from its hash; see [Fresh].
// The digest of what was sent finds its entry by the first bytes, and the whole of it is compared in constant time. Nothing
// allocates, and time comes in as an argument.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// MaxBytes is the longest key that is looked at.
const MaxBytes = 512

// Digest is the SHA-256 of a key.
type Digest [sha256.Size]byte

// Of returns the digest of a key.
func Of(key []byte) Digest { return sha256.Sum256(key) }

// ParseDigest reads a digest in hexadecimal, with or without "sha256:" before it.
func ParseDigest(s string) (d Digest, err error) {
	const prefix = "sha256:"
	if len(s) > len(prefix) && s[:len(prefix)] == prefix {
		s = s[len(prefix):]
	}
	if len(s) != hex.EncodedLen(len(d)) {
		return d, fmt.Errorf("a digest of %d characters: SHA-256 in hexadecimal has %d", len(s), hex.EncodedLen(len(d)))
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return d, fmt.Errorf("a digest: %w", err)
	}
	if d == Of(nil) {
		return d, errors.New("the digest of the empty key")
	}
	return d, nil
}

// Fresh returns a new key of 256 random bits, which is in no table yet.
func Fresh() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return hex.EncodeToString(b[:])
}

// Key is an entry of a Table.
type Key struct {
	Digest  Digest
	Owner   int   // whoever made the table knows what it means
	Expires int64 // Unix nanoseconds; 0 for never
}

// Table finds keys. It is never changed, and any number of goroutines may use it.
type Table struct {
	keys  []Key
	first []uint64 // by place: the digest's first bytes
	index []int32  // by place: 1 + index in keys, 0 where there is none
}

// New returns a table of those keys. No two may be the same: it would not be known whose they are.
func New(keys []Key) (*Table, error) {
	size := 2
	for size < 2*len(keys) {
		size *= 2
	}
	t := &Table{keys: keys, first: make([]uint64, size), index: make([]int32, size)}
	for i := range keys {
		d := &keys[i].Digest
		at := t.place(d)
		for t.index[at] != 0 {
			if keys[t.index[at]-1].Digest == *d {
				return nil, fmt.Errorf("two keys have the digest %x", d[:4])
			}
			at = (at + 1) & (size - 1)
		}
		t.first[at], t.index[at] = head(d), int32(i+1)
	}
	return t, nil
}

// head is what a digest is looked up by. What is sent can't be chosen so that digests are alike.
func head(d *Digest) uint64 { return binary.LittleEndian.Uint64(d[:]) }

func (t *Table) place(d *Digest) int { return int(head(d)) & (len(t.index) - 1) }

// Find returns whose key it is, at now in Unix nanoseconds.
func (t *Table) Find(key []byte, now int64) (owner int, found bool) {
	if len(key) == 0 || len(key) > MaxBytes {
		return 0, false
	}
	d := Of(key)
	first := head(&d)
	for at := t.place(&d); t.index[at] != 0; at = (at + 1) & (len(t.index) - 1) {
		if t.first[at] != first {
			continue
		}
		k := &t.keys[t.index[at]-1]
		if subtle.ConstantTimeCompare(k.Digest[:], d[:]) == 1 {
			return k.Owner, k.Expires == 0 || now < k.Expires
		}
	}
	return 0, false
}
