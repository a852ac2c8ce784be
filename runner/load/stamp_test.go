package load

import (
	"testing"
	"time"
)

// TestStamps: the kernel says when an answer arrived, which is never before the server sent it nor after it was read.
func TestStamps(t *testing.T) {
	const takes = 20 * time.Millisecond
	for _, rate := range []float64{0, 50} {
		p := plant(t, func(u *turn) {
			time.Sleep(takes)
			u.write(good)
		})
		s := p.spec()
		s.Connections, s.Rate, s.Duration = 2, rate, 500*time.Millisecond
		if r := run(t, s); r.Wire != nil {
			t.Errorf("rate %v: stamps that nobody asked for: %+v", rate, r.Wire)
		}
		s.Stamp = true
		r := run(t, s)
		read := r.Latency
		if rate > 0 {
			read = r.Service
		}
		if r.Wire == nil || r.Wire.Count != read.Count {
			t.Fatalf("rate %v: %+v of %+v", rate, r.Wire, read)
		}
		if r.Wire.Min < takes || r.Wire.P50 > read.P50*1001/1000 || r.Wire.Max > read.Max*1001/1000 {
			t.Errorf("rate %v: arrived after %v to %v, %v in the middle; read after %v, and %v", rate, r.Wire.Min, r.Wire.Max, r.Wire.P50, read.P50, read.Max)
		}
	}
	for _, s := range []Spec{{Stamp: true, Depth: 2}, {Stamp: true, Engine: EngineUring}} {
		s.URL = "http://127.0.0.1:1/"
		if s.Filled().Check() == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
}
