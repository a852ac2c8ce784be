package probe

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"corelab/results"

	"github.com/prometheus/procfs"
)

// Machine measures what all CPUs did over a window, and who had the time of those in use. It is used by one goroutine at a
// time.
type Machine struct {
	proc      Proc
	seats     []Seat
	ksoftirqd map[int]int // CPU → pid of the kernel's thread, found at the first Begin
	began     machineReading
	closed    *machineReading // by Close, until End has used it
	closeErr  error
	over      time.Duration // of the last window
	home      map[int]bool  // the processes that are no strangers: the seats', the kernel's for packets, and this one
	strangers map[int]stranger
}

// Seat is a set of CPUs, and the processes that were pinned to them.
type Seat struct {
	Of   string       // one of results.Seat…
	CPUs []int        //
	Pids func() []int // asked at Begin
}

// machineReading is the CPU time of the whole machine since boot.
type machineReading struct {
	steal, idle, softirq, busy time.Duration
	ksoftirqd                  time.Duration
	at                         time.Time
	cpus                       int
	seats                      []seatReading
}

// seatReading is one seat's part of it.
type seatReading struct {
	steal, idle time.Duration
	clocks      map[int]time.Duration // of the seat's processes
	softirqd    time.Duration         // of the kernel's threads there
}

// OpenMachine returns a probe on the whole machine, and on the CPUs in use: give each set of CPUs once.
func OpenMachine(seats ...Seat) *Machine { return &Machine{proc: System, seats: seats} }

// Begin opens the window.
func (m *Machine) Begin() (err error) {
	m.closed = nil
	if m.ksoftirqd == nil {
		if m.ksoftirqd, err = m.proc.softirqThreads(); err != nil {
			return err
		}
	}
	pids := make([][]int, len(m.seats))
	for i, s := range m.seats {
		pids[i] = s.Pids()
	}
	if len(m.seats) > 0 {
		m.home = map[int]bool{os.Getpid(): true}
		for _, pid := range slices.AppendSeq(slices.Concat(pids...), maps.Values(m.ksoftirqd)) {
			m.home[pid] = true
		}
		m.strangers = m.proc.strangers(m.home)
	}
	m.began, err = m.read(func(seat int) []int { return pids[seat] })
	return err
}

// Close takes the reading that closes the window, for whoever has others to read before End: that reads every process. The
// error comes from End.
func (m *Machine) Close() {
	now, err := m.read(m.seated)
	m.closed, m.closeErr = &now, err
}

// seated are the processes of a seat when the window began.
func (m *Machine) seated(seat int) []int {
	if seat >= len(m.began.seats) {
		return nil // Begin failed
	}
	return slices.Collect(maps.Keys(m.began.seats[seat].clocks))
}

// End closes the window that Begin opened, if Close has not. ours is CPU time that is not others', beside that of the seats'
// processes.
//
// What was busy beyond it is Others; as the kernel samples the busy time in ticks, and ours is exact, a negative rest is taken
// for none. A seat's Others do without that sample: they are what is left of the time when the idle and the stolen time and
// the exact clocks of all that belong there are taken off. The kernel's threads for packets belong there. As a CPU that falls
// asleep and wakes thousands of times a second spends a tenth of its time on that, which is nobody's, Others are no more than
// what all strangers of the machine had by their own clocks. A process of ours that ended in the window counts as an other.
func (m *Machine) End(ours time.Duration) (results.Machine, []results.Missing) {
	if m.closed == nil {
		m.Close()
	}
	now, err := *m.closed, m.closeErr
	m.closed = nil
	if err == nil && len(m.began.seats) != len(m.seats) {
		err = errors.New("the machine's CPU time could not be read at the begin of the window")
	}
	if err != nil {
		return results.Machine{}, []results.Missing{{Figure: "machine", Reason: err.Error()}}
	}
	m.over = now.at.Sub(m.began.at)
	bound := time.Duration(math.MaxInt64)
	if strangers := m.proc.strangers(m.home); m.strangers != nil && strangers != nil {
		bound = usedBy(m.strangers, strangers)
	}
	var seated time.Duration
	var seats []results.Seat
	for i, s := range m.seats {
		seat, used := m.began.seats[i].since(now.seats[i], s, m.over)
		seat.Others = min(seat.Others, bound)
		seats, seated = append(seats, seat), seated+used
	}
	// The kernel now and then books half a second of busy ticks more than there was time: what was not idle bounds them.
	idle := max(0, now.idle-m.began.idle) // the kernel's idle time may step back by a tick
	busy := min(now.busy-m.began.busy, time.Duration(now.cpus)*m.over-idle)
	d := results.Machine{
		Steal:   now.steal - m.began.steal,
		Idle:    idle,
		SoftIRQ: now.softirq - m.began.softirq,
		Others:  max(0, busy-ours-seated),
		Seats:   seats,
	}
	if len(m.ksoftirqd) == 0 {
		return d, []results.Missing{{Figure: "ksoftirqd_ns", Reason: "no ksoftirqd thread is visible here"}}
	}
	d.KSoftIRQd = now.ksoftirqd - m.began.ksoftirqd
	return d, nil
}

// Over is how long the window was that End closed last.
func (m *Machine) Over() time.Duration { return m.over }

// since is what the seat did from r to now, and what its processes used.
func (r seatReading) since(now seatReading, s Seat, window time.Duration) (results.Seat, time.Duration) {
	var used time.Duration
	for pid, cpu := range now.clocks {
		used += cpu - r.clocks[pid]
	}
	seat := results.Seat{Of: s.Of, CPUs: CPUList(s.CPUs), Idle: max(0, now.idle-r.idle), Steal: max(0, now.steal-r.steal)}
	rest := time.Duration(len(s.CPUs))*window - seat.Idle - seat.Steal - used - (now.softirqd - r.softirqd)
	seat.Others = max(0, rest)
	return seat, used
}

// read takes one reading. The clocks of the seats' processes are read right behind the machine's time: between the two the
// processes go on, and what they use there looks like others'.
func (m *Machine) read(pids func(seat int) []int) (machineReading, error) {
	p := m.proc
	var r machineReading
	fs, err := procfs.NewFS(p.dir)
	if err != nil {
		return r, fmt.Errorf("open procfs: %w", err)
	}
	stat, err := fs.Stat()
	if err != nil {
		return r, fmt.Errorf("read the machine's CPU time: %w", err)
	}
	c := stat.CPUTotal
	r.at, r.cpus = time.Now(), len(stat.CPU)
	r.steal, r.softirq = seconds(c.Steal), seconds(c.SoftIRQ)
	r.idle = seconds(c.Idle + c.Iowait)
	r.busy = seconds(c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ) // guest time is in User already
	for i, s := range m.seats {
		seat := seatReading{clocks: make(map[int]time.Duration)}
		for _, pid := range pids(i) {
			if cpu, err := p.clock(pid); err == nil { // else it has ended
				seat.clocks[pid] = cpu
			}
		}
		for _, cpu := range s.CPUs {
			c := stat.CPU[int64(cpu)]
			seat.idle, seat.steal = seat.idle+seconds(c.Idle+c.Iowait), seat.steal+seconds(c.Steal)
		}
		r.seats = append(r.seats, seat)
	}
	for cpu, pid := range m.ksoftirqd {
		used, err := p.clock(pid)
		if err != nil {
			return r, err
		}
		r.ksoftirqd += used
		for i, s := range m.seats {
			for _, c := range s.CPUs {
				if c == cpu {
					r.seats[i].softirqd += used
				}
			}
		}
	}
	return r, nil
}

// softirqThreads returns the kernel's threads that receive packets when there are too many, by CPU.
func (p Proc) softirqThreads() (map[int]int, error) {
	fs, err := procfs.NewFS(p.dir)
	if err != nil {
		return nil, fmt.Errorf("open procfs: %w", err)
	}
	procs, err := fs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	threads := make(map[int]int)
	for _, proc := range procs {
		comm, err := proc.Comm()
		if err != nil { // it ended since the directory was read
			continue
		}
		if number, ok := strings.CutPrefix(comm, "ksoftirqd/"); ok {
			if cpu, err := strconv.Atoi(number); err == nil {
				threads[cpu] = proc.PID
			}
		}
	}
	return threads, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
