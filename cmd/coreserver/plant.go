package main

import (
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"corelab/apps/planted"
	"corelab/servers"
)

// plantFlag is what the names of all flags of the app planted begin with.
const plantFlag = "plant-"

// addPlants defines the flags of the app planted in set, for c.
func addPlants(set *flag.FlagSet, c *planted.Config) {
	set.Var((*lateFlag)(c), plantFlag+"late", "`FRACTION@DELAY` of answers that are held back, others are not: 0.02@50ms or 1/50@50ms has exactly every 50th answer 50 ms late")
	set.Var((*stallFlag)(c), plantFlag+"stall", "`LENGTH@PERIOD` of the whole server doing nothing: 100ms@1s does so at the beginning of each second since the start")
	set.DurationVar(&c.Serial, plantFlag+"serial", 0, "service `time` of each request, one at a time in the order in which they come, over all connections")
	set.IntVar(&c.Calls, plantFlag+"calls", 0, "`calls` of getppid(2) for each request")
	set.IntVar(&c.Switches, plantFlag+"switches", 0, "voluntary context `switches` for each request, each by a nanosleep(2) of 20 µs")
	set.IntVar(&c.Mute, plantFlag+"mute", 0, "`connections` that are never answered, the first ones that ask for /planted")
	set.IntVar(&c.Wrong, plantFlag+"wrong", 0, "`every` so many answers one has a wrong byte, its length right")
	set.IntVar(&c.Long, plantFlag+"long", 0, "`every` so many answers one has a body a byte too long, well framed")
	set.IntVar(&c.Short, plantFlag+"short", 0, "`every` so many answers one is cut short in mid-body, and the connection closed")
	set.IntVar(&c.Error, plantFlag+"error", 0, "`every` so many answers one is a 500")
	set.IntVar(&c.Close, plantFlag+"close", 0, "`every` so many answers one does not come: the connection is closed")
	set.IntVar(&c.Leak, plantFlag+"leak", 0, "`bytes` kept for each request, and touched")
	set.Var((*driftFlag)(c), plantFlag+"drift", "`nanoseconds` of CPU time that each request takes more for every second since the start")
}

// checkPlants refuses plants that mean nothing, or that nobody would carry. set has parsed the command line.
func (o *options) checkPlants(set *flag.FlagSet) error {
	const app = "planted"
	given := ""
	set.Visit(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, plantFlag) {
			given = f.Name
		}
	})
	if given == "" {
		return nil
	}
	if o.app.Name != app {
		return fmt.Errorf("--%s is for the app %s, not for %s; add --app %s", given, app, o.app.Name, app)
	}
	if err := o.planted.Check(); err != nil {
		return fmt.Errorf("--%s…: %w", plantFlag, err)
	}
	if reason, lacks := lackOf(o.core, servers.Parsing); lacks {
		return fmt.Errorf("--%s: core %s calls no handler that could do it (%s); choose another --core", given, o.core.Name, reason)
	}
	if reason, lacks := lackOf(o.core, servers.HalfClose); lacks && o.planted.Short > 0 {
		return fmt.Errorf("--%sshort: core %s would end a cut answer only after --linger (%s); choose another --core", plantFlag, o.core.Name, reason)
	}
	if reason, lacks := lackOf(o.core, servers.Holding); lacks && o.planted.Holds() {
		return fmt.Errorf("--%slate, --%sserial and --%smute hold replies, and core %s serves nobody else meanwhile (%s); choose another --core",
			plantFlag, plantFlag, plantFlag, o.core.Name, reason)
	}
	return nil
}

// lateFlag is --plant-late.
type lateFlag planted.Config

func (f *lateFlag) String() string {
	if f.LateEvery == 0 {
		return ""
	}
	return fmt.Sprintf("1/%d@%v", f.LateEvery, f.LateBy)
}

// Set implements flag.Value.
func (f *lateFlag) Set(s string) error {
	share, delay, found := strings.Cut(s, "@")
	if !found {
		return fmt.Errorf("write it like 0.02@50ms")
	}
	every, err := parseShare(share)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(delay)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no delay; write it like 0.02@50ms", delay)
	}
	f.LateEvery, f.LateBy = every, d
	return nil
}

// shareExact is how near a decimal fraction must come to one in a whole number, as a share of it: 0.0333 is 1/30.
const shareExact = 0.002

// parseShare reads a fraction, 0.02 or 1/50, and returns of how many it is one.
func parseShare(s string) (int, error) {
	if n, found := strings.CutPrefix(s, "1/"); found {
		every, err := strconv.Atoi(n)
		if err != nil || every < 1 {
			return 0, fmt.Errorf("%q is no fraction; write it like 1/50", s)
		}
		return every, nil
	}
	share, err := strconv.ParseFloat(s, 64)
	if err != nil || !(share > 0 && share <= 1) || share < 1e-9 {
		return 0, fmt.Errorf("%q is no fraction above 0 and up to 1; write it like 0.02 or 1/50", s)
	}
	every := math.Round(1 / share)
	if math.Abs(every*share-1) > shareExact {
		return 0, fmt.Errorf("%s is not one in a whole number of answers; the nearest is 1/%.0f", s, every)
	}
	return int(every), nil
}

// stallFlag is --plant-stall.
type stallFlag planted.Config

func (f *stallFlag) String() string {
	if f.StallFor == 0 {
		return ""
	}
	return fmt.Sprintf("%v@%v", f.StallFor, f.StallEvery)
}

// Set implements flag.Value.
func (f *stallFlag) Set(s string) error {
	length, period, found := strings.Cut(s, "@")
	if !found {
		return fmt.Errorf("write it like 100ms@1s")
	}
	l, err := time.ParseDuration(length)
	if err != nil || l <= 0 {
		return fmt.Errorf("%q is no length of a stall; write it like 100ms@1s", length)
	}
	p, err := time.ParseDuration(period)
	if err != nil || p <= l {
		return fmt.Errorf("%q is no period of stalls of %v; it must be longer than they are, like 100ms@1s", period, l)
	}
	f.StallFor, f.StallEvery = l, p
	return nil
}

// driftFlag is --plant-drift: a number of nanoseconds, or a duration with its unit.
type driftFlag planted.Config

func (f *driftFlag) String() string {
	if f.Drift == 0 {
		return ""
	}
	return strconv.FormatInt(int64(f.Drift), 10)
}

// Set implements flag.Value.
func (f *driftFlag) Set(s string) error {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		f.Drift = time.Duration(n)
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("give nanoseconds of CPU time each second, such as 100")
	}
	f.Drift = d
	return nil
}
