package results

import "time"

// Schema is the version of the record that this package writes; a reader refuses a newer one.
const Schema = 2

// Kinds of lines in run.jsonl.
const (
	KindRun   = "run"   // the first line: Run
	KindTrial = "trial" // one for each trial that ended, was refused, or was skipped: Trial
	KindEnd   = "end"   // the last line of a run that was not killed: End
	KindGoOn  = "go-on" // a run that was interrupted or killed goes on behind it: GoOn; an End before it ends nothing
)

// Run says on what, with what and for what a run was made. It is the first line of run.jsonl.
type Run struct {
	Kind      string            `json:"kind"`
	Schema    int               `json:"schema"`
	ID        string            `json:"id"` // folder name: 20261122-101500-bench
	Started   time.Time         `json:"started"`
	Command   []string          `json:"command"`
	Commit    string            `json:"commit,omitempty"` // of corelab, "+dirty" behind it where the tree was not clean
	Seed      uint64            `json:"seed"`             // of the random order
	Budget    time.Duration     `json:"budget_ns,omitempty"`
	Host      Host              `json:"host"`
	Tools     map[string]string `json:"tools,omitempty"` // name → version line; a missing tool is absent and in Missing
	Missing   []Missing         `json:"missing,omitempty"`
	Scenarios []Scenario        `json:"scenarios"`
	Targets   []Target          `json:"targets"`
	Compare   *Compare          `json:"compare,omitempty"` // of a comparison, whose Targets are A and B
	Tuning    *Tuning           `json:"tuning,omitempty"`  // of corelab tuning
	Knee      *KneeAsked        `json:"knee,omitempty"`    // of corelab knee
	Siege     *SiegeAsked       `json:"siege,omitempty"`   // of corelab siege
	Soak      *SoakAsked        `json:"soak,omitempty"`    // of corelab soak
}

// Compare is what a comparison was asked, and how it goes about it. Its trials are windows; a trial's Round is its block.
type Compare struct {
	Precision   float64       `json:"precision"`               // half-width of the interval at which it stops, 0.01 is 1 %; 0: never
	Max         time.Duration `json:"max_ns"`                  // of all, start-up included
	FailIfWorse float64       `json:"fail_if_worse,omitempty"` // 0: not asked
	Windows     int           `json:"windows"`                 // of each side in a block
	Window      time.Duration `json:"window_ns"`               // measured time of one
	WarmUp      time.Duration `json:"warm_up_ns"`              // before each
	Ballast     [2]float64    `json:"ballast_ns,omitzero"`     // per request, planted in A and in B
}

// Host is the machine.
type Host struct {
	Hostname  string            `json:"hostname"`
	Kernel    string            `json:"kernel"`
	CPU       string            `json:"cpu"`
	CPUs      int               `json:"cpus"` // that this process may run on
	MemoryKiB uint64            `json:"memory_kib"`
	GoVersion string            `json:"go_version"`
	OpenFiles uint64            `json:"open_files"` // RLIMIT_NOFILE
	Virtual   string            `json:"virtual,omitempty"`
	Sysctl    map[string]string `json:"sysctl,omitempty"`
}

// Scenario is one question, as it was asked in this run.
type Scenario struct {
	Name     string   `json:"name"`
	Question string   `json:"question"`
	Why      string   `json:"why,omitempty"`
	Load     string   `json:"load"` // the shape, in words: "GET /plaintext, closed loop, 64 connections"
	Cases    []string `json:"cases,omitempty"`
	Digest   string   `json:"digest,omitempty"` // of all that its trials do, as planned: a run goes on only with the same
}

// Target is one server under test.
type Target struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // "core", "peer", "foreign"
	Command []string `json:"command"`
	Version string   `json:"version,omitempty"`
	Config  string   `json:"config,omitempty"` // the configuration file of a peer, whole
	Limit   bool     `json:"limit,omitempty"`  // a limit that does less than the others: never ranked
	Note    string   `json:"note,omitempty"`
}

// Roles of a trial.
const (
	RoleRanked   = ""         // counts for the tables
	RoleAA       = "aa"       // the same target again, as a second entry: the noise floor
	RoleSecond   = "second"   // the same cell by a second generator, to hold them against each other
	RoleObserved = "observed" // observed by something that slows it: system calls by name, the CPU's own counters
	RoleCompared = "compared" // a short window of a comparison, whose Machine is of the one CPU alone: no table but its own has it
	RoleKnee     = "knee"     // an open loop at one of the rates that a knee search tries: no table but its own has it
	RoleProfiled = "profiled" // observed by profilers, which slow it more: its Profiles say where the CPU's time went
	RoleCeiling  = "ceiling"  // a short closed loop that finds the rate from which an open loop's load is taken
	RoleSiege    = "siege"    // ordinary clients without or beside hostile ones: no table but its own has it
	RoleSoak     = "soak"     // a sample of a server under mixed traffic for long: no table but its own has it
)

// Trial is one measurement of one target in one case of one scenario, or the reason why there is none. A figure that
// could not be measured is null or absent and stands in Missing with the reason; it is never zero for that.
type Trial struct {
	Kind      string    `json:"kind"`
	Scenario  string    `json:"scenario"`
	Case      string    `json:"case,omitempty"` // "connections=50"; empty in a scenario of one case
	Target    string    `json:"target"`
	Role      string    `json:"role,omitempty"`
	Round     int       `json:"round"`    // from 1
	Position  int       `json:"position"` // in the whole run, from 1
	Placement string    `json:"placement,omitempty"`
	Started   time.Time `json:"started"`

	Skipped string `json:"skipped,omitempty"` // why nothing was tried: "sequential lacks pipelining"
	Error   string `json:"error,omitempty"`   // why it failed

	Load     *Load              `json:"load,omitempty"`
	Server   *Usage             `json:"server,omitempty"`
	Client   *Usage             `json:"client,omitempty"` // the generator's process
	Machine  *Machine           `json:"machine,omitempty"`
	Net      *Net               `json:"net,omitempty"`
	Wire     *Wire              `json:"wire,omitempty"`
	Calls    map[string]float64 `json:"calls_per_request,omitempty"`    // system calls by name, only in RoleObserved
	Counted  map[string]float64 `json:"hardware_per_request,omitempty"` // by the CPU's own counters, only in RoleObserved: "instructions"
	Runtime  *Runtime           `json:"runtime,omitempty"`              // Go's, of our cores
	Workers  []Worker           `json:"workers,omitempty"`
	Upstream *Upstream          `json:"upstream,omitempty"` // only of a target that stands in front of others

	Profiles []Profile `json:"profiles,omitempty"`  // only in RoleProfiled
	RunQueue *Latency  `json:"run_queue,omitempty"` // from a thread's wake-up until it ran, only in RoleProfiled

	Siege *Siege `json:"siege,omitempty"` // only in RoleSiege
	Soak  *Soak  `json:"soak,omitempty"`  // only in RoleSoak

	Warnings []Warning `json:"warnings,omitempty"`
	Missing  []Missing `json:"missing,omitempty"`
	Raw      string    `json:"raw,omitempty"` // the tool's own output, a path below the run's folder
}

// Load is what a generator offered and what it got back.
type Load struct {
	Generator   string        `json:"generator"`                // "corelab", "wrk", "vegeta"
	Command     []string      `json:"command"`                  // to run it again
	Loop        string        `json:"loop"`                     // "closed", "open"
	Connections int           `json:"connections"`              // asked for
	Depth       int           `json:"depth"`                    // requests in flight on a connection: the pipelining depth, 1 otherwise
	Rate        float64       `json:"rate,omitempty"`           // offered, per second, open loop
	Arrival     string        `json:"arrival,omitempty"`        // "constant", "poisson"
	Elapsed     time.Duration `json:"elapsed_ns"`               // of the measured time
	Requests    uint64        `json:"requests"`                 // answered, rightly or not, in Elapsed
	BytesIn     uint64        `json:"bytes_in"`                 // received by the generator
	BytesOut    uint64        `json:"bytes_out,omitempty"`      // sent by it
	Errors      Errors        `json:"errors"`                   // by kind
	Late        uint64        `json:"late,omitempty"`           // requests sent more than 1 ms after they were due, open loop
	LateMax     time.Duration `json:"late_max_ns,omitempty"`    // the worst of them
	Starved     int           `json:"starved,omitempty"`        // connections that were never answered
	Checked     uint64        `json:"checked,omitempty"`        // answers whose bytes were compared
	CheckEvery  int           `json:"check_every,omitempty"`    // one in so many was compared
	LateOwn     uint64        `json:"late_own,omitempty"`       // of Late, by the generator's own fault: a connection was free, or answers lay unread, ever since it was due
	Behind      time.Duration `json:"behind_ns,omitempty"`      // open loop: in which a request was due and no connection free, summed over the generator's threads
	Waited      time.Duration `json:"waited_ns,omitempty"`      // of Behind, in which no answer lay unread either: the generator waited for the server
	Unsent      uint64        `json:"unsent,omitempty"`         // due in Elapsed and never sent, open loop
	Latency     *Latency      `json:"latency,omitempty"`        // from due (open) or sent (closed) to the answer's last byte
	Service     *Latency      `json:"service,omitempty"`        // open loop: from sent to the answer's last byte
	Wire        *Latency      `json:"wire,omitempty"`           // our own generator, where asked: from sent until the kernel had received the answer's last byte, as it says
	PerConn     *Spread       `json:"per_connection,omitempty"` // answers by connection
	Phases      []Phase       `json:"phases,omitempty"`         // of an open loop whose rate changes, in order
	Slices      []Slice       `json:"slices,omitempty"`         // the window cut into equal times, in order
	Reconnect   bool          `json:"reconnect,omitempty"`      // each request on a connection of its own
	Course      *Course       `json:"course,omitempty"`         // of a window that is long enough, by our own generator
}

// Course is what happened in the pieces of a window, one after the other. The generator reads all of it itself, between two
// answers: the pieces are not of quite the same length.
type Course struct {
	Ends     []time.Duration `json:"ends_ns"`                 // of the pieces, from the window's begin, where the first begins
	Answered []uint64        `json:"answered"`                // requests in each
	Server   []time.Duration `json:"server_cpu_ns,omitempty"` // that the server used in each; absent where its clock could not be read
	Client   []time.Duration `json:"client_cpu_ns,omitempty"` // that the generator used
}

// Phase is a part of an open loop with a rate of its own. A request belongs to the phase in which it was due.
type Phase struct {
	Name     string        `json:"name"` // "before", "burst", "after"
	Rate     float64       `json:"rate"` // offered, per second
	Elapsed  time.Duration `json:"elapsed_ns"`
	Due      uint64        `json:"due"`
	Answered uint64        `json:"answered"` // of them, rightly, within the generator's time-out: the goodput
	Errors   Errors        `json:"errors"`
	Latency  *Latency      `json:"latency,omitempty"`   // from due
	Served   uint64        `json:"served"`              // right answers that came while the phase lasted, within the time-out from when they were due, whenever that was
	Unsent   uint64        `json:"unsent,omitempty"`    // due, and given up after the time-out, or at the window's end, before a connection was free
	Cut      uint64        `json:"cut,omitempty"`       // in flight when the run was interrupted. Due = Answered + Errors + Unsent + Cut
	Late     uint64        `json:"late,omitempty"`      // as in Load
	LateOwn  uint64        `json:"late_own,omitempty"`  //
	Behind   time.Duration `json:"behind_ns,omitempty"` //
	Waited   time.Duration `json:"waited_ns,omitempty"` //
}

// Slice is a short time of the window, by when requests were due.
type Slice struct {
	Begin    time.Duration `json:"begin_ns"` // from the window's begin
	Due      uint64        `json:"due"`
	Answered uint64        `json:"answered"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Max      time.Duration `json:"max_ns"`
}

// Errors counts answers that did not come or were wrong.
type Errors struct {
	Connect uint64 `json:"connect,omitempty"` // refused, reset or timed out while connecting
	Read    uint64 `json:"read,omitempty"`    // reset or closed before the answer was whole
	Write   uint64 `json:"write,omitempty"`
	Timeout uint64 `json:"timeout,omitempty"` // no answer within the generator's time-out
	Status  uint64 `json:"status,omitempty"`  // not the expected status
	Length  uint64 `json:"length,omitempty"`  // not the expected length
	Body    uint64 `json:"body,omitempty"`    // a wrong byte
	Parse   uint64 `json:"parse,omitempty"`   // not HTTP
}

// Total is the number of all errors.
func (e Errors) Total() uint64 {
	return e.Connect + e.Read + e.Write + e.Timeout + e.Status + e.Length + e.Body + e.Parse
}

// Latency is a distribution of times.
type Latency struct {
	Count uint64        `json:"count"`
	Mean  time.Duration `json:"mean_ns"`
	Min   time.Duration `json:"min_ns,omitempty"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns,omitempty"`
	Max   time.Duration `json:"max_ns"`
	HDR   string        `json:"hdr,omitempty"` // the whole histogram: HdrHistogram V2, compressed, base64, in nanoseconds
}

// Spread is how evenly something was shared out.
type Spread struct {
	Min    uint64 `json:"min"`
	Median uint64 `json:"median"`
	Max    uint64 `json:"max"`
}

// Usage is what a process tree used over the measured time.
type Usage struct {
	Elapsed     time.Duration `json:"elapsed_ns"`
	CPU         time.Duration `json:"cpu_ns"`                      // process CPU clock: all threads, ended ones too
	User        time.Duration `json:"user_ns,omitempty"`           // sampled by the kernel's tick where it is; absent with too few ticks
	System      time.Duration `json:"system_ns,omitempty"`         // likewise
	Voluntary   uint64        `json:"voluntary_switches"`          // context switches, all threads
	Involuntary uint64        `json:"involuntary_switches"`        //
	MinorFaults uint64        `json:"minor_faults,omitempty"`      //
	MajorFaults uint64        `json:"major_faults,omitempty"`      //
	RSSKiB      uint64        `json:"rss_kib,omitempty"`           // at the end
	PeakRSSKiB  uint64        `json:"peak_rss_kib,omitempty"`      // ever
	Files       int           `json:"files,omitempty"`             // open at the end
	Threads     int           `json:"threads,omitempty"`           // at the end
	Busiest     time.Duration `json:"busiest_thread_ns,omitempty"` // CPU time of the thread that had most of it
	Affinity    string        `json:"affinity,omitempty"`          // the CPUs it might use: "0", "0-1"
}

// Machine is what the rest of the machine did in the same time.
type Machine struct {
	Steal     time.Duration `json:"steal_ns"`               // taken by the hypervisor, all CPUs
	Idle      time.Duration `json:"idle_ns"`                // all CPUs
	SoftIRQ   time.Duration `json:"softirq_ns"`             // all CPUs, as the kernel samples it
	KSoftIRQd time.Duration `json:"ksoftirqd_ns,omitempty"` // the threads' CPU time
	Others    time.Duration `json:"others_ns"`              // busy time that neither server nor generator used
	Seats     []Seat        `json:"seats,omitempty"`        // the CPUs in use, by whom they were given to; absent in records of schema 1
}

// Seat is the CPUs that server or generator were pinned to, and who had their time. What is neither idle nor stolen nor used
// by server, generator and the kernel's threads for their packets is Others': a compile elsewhere is in no seat.
type Seat struct {
	Of     string        `json:"of"`   // SeatServer, SeatClient, or SeatBoth where they have the same CPUs
	CPUs   string        `json:"cpus"` // "1", "0-1"
	Idle   time.Duration `json:"idle_ns"`
	Steal  time.Duration `json:"steal_ns"`
	Others time.Duration `json:"others_ns"`
}

// Whose a Seat is.
const (
	SeatServer = "server"
	SeatClient = "generator"
	SeatBoth   = "server and generator"
)

// Net is what TCP did in the server's network namespace over the measured time: on loopback both ends are counted, and
// whoever else is there. Packets are segments; the kernel joins small ones and splits large ones below this count.
type Net struct {
	SegmentsIn  uint64 `json:"segments_in"`
	SegmentsOut uint64 `json:"segments_out"`
	Retransmits uint64 `json:"retransmits"`
	Resets      uint64 `json:"resets,omitempty"`       // sent
	ListenDrops uint64 `json:"listen_drops,omitempty"` // connections that found a full backlog
}

// Wire is the exchange as verified before the load.
type Wire struct {
	Status    int `json:"status"`
	HeadBytes int `json:"head_bytes"` // of the reply, with the empty line
	BodyBytes int `json:"body_bytes"`
}

// Runtime is what a Go server of ours did over the measured time, by its own runtime/metrics.
type Runtime struct {
	Allocs     uint64 `json:"allocs"`      // objects
	AllocBytes uint64 `json:"alloc_bytes"` //
	GCs        uint64 `json:"gc_cycles"`
	Goroutines int    `json:"goroutines"` // at the end
	HeapKiB    uint64 `json:"heap_kib"`   // at the end
}

// Kinds of profiles. Those of Go are only of our own cores, taken by their own runtime.
const (
	ProfileCPU       = "cpu"          // where the server's CPU time went, kernel and user, and what its CPUs did when they were idle: by perf
	ProfileOffCPU    = "off-cpu"      // where its threads waited, and for how long: by perf
	ProfileGoCPU     = "go-cpu"       // by Go's own sampling: user code, and labels
	ProfileHeap      = "go-heap"      // allocated since the start, and in use
	ProfileBlock     = "go-block"     // waiting on channels, locks and conditions
	ProfileMutex     = "go-mutex"     // holding locks that others waited for
	ProfileGoroutine = "go-goroutine" // where goroutines were at the end
)

// Profile is one profile of the server over the measured time: a file in the format of profile.proto, gzipped, which
// "go tool pprof" opens. In those by perf the root frame of every stack is the name of its thread's program, "nginx",
// "coreserver", or "idle" for time in which the CPU had nothing to do.
type Profile struct {
	Kind    string        `json:"kind"`
	Path    string        `json:"path"`               // below the run's folder: "profiles/plaintext-reactor-cpu.pb.gz"
	Event   string        `json:"event"`              // "cpu-clock", "cycles", "sched:sched_switch", "go"
	Rate    float64       `json:"rate,omitempty"`     // samples asked for, per second and CPU
	Begin   time.Duration `json:"begin_ns,omitempty"` // of that, from the window's begin: profilers take turns in it
	Elapsed time.Duration `json:"elapsed_ns"`         // that it covers
	Samples uint64        `json:"samples"`            // in the file
	Lost    uint64        `json:"lost,omitempty"`     // by the kernel: its buffer was full
	Others  uint64        `json:"others,omitempty"`   // of other processes on the same CPUs, which are not in the file
	Command []string      `json:"command,omitempty"`  // that recorded it
}

// Worker is what one worker of our cores did over the measured time.
type Worker struct {
	Accepted uint64 `json:"accepted"`
	Requests uint64 `json:"requests"`
	Open     int64  `json:"open"` // at the end
}

// Upstream is what the servers behind a gateway saw from their start to the trial's end, all together: warm-up and the
// verification before the load are in it.
type Upstream struct {
	Accepted uint64 `json:"accepted"` // connections
	Requests uint64 `json:"requests"`
}

// Warning marks a cell. Code is one of the Warn constants; Text says it to people, with the figures.
type Warning struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Codes of warnings. A trial with one that Refuses is not ranked.
const (
	WarnLittle    = "littles-law"     // connections ÷ throughput and mean latency disagree by more than 5 %
	WarnErrors    = "errors"          // answers failed
	WarnStarved   = "starved"         // connections were never answered
	WarnGenerator = "generator-bound" // the generator was at its limit: throughput is a lower bound
	WarnLate      = "late"            // the generator sent late
	WarnSteal     = "steal"           // something else took the CPU: the trial is left out of medians, ratios and intervals
	WarnHead      = "head-bytes"      // the reply's head differs by more than 16 bytes from the reference's
	WarnPlacement = "placement"       // could not be pinned as asked
	WarnReference = "self-reference"  // the server's first answer was the reference, nothing else was known
	WarnDied      = "died"            // the server ended during the trial
	WarnShort     = "short"           // too few requests for the percentile
)

// Missing is a figure that could not be had, and why.
type Missing struct {
	Figure string `json:"figure"` // the field's name in the record, in its struct where that is unclear: "server.user_ns", "latency", "runtime"
	Reason string `json:"reason"`
}

// GoOn says that an interrupted run was taken up again.
type GoOn struct {
	Kind    string    `json:"kind"`
	Started time.Time `json:"started"`
	Command []string  `json:"command"`
	Commit  string    `json:"commit,omitempty"`
	Differs []string  `json:"differs,omitempty"` // what was no longer as in Run, where it was forced, for people
}

// End closes a run; in one that went on, its figures are those of all parts together.
type End struct {
	Kind        string        `json:"kind"`
	Ended       time.Time     `json:"ended"`
	Elapsed     time.Duration `json:"elapsed_ns"`
	Trials      int           `json:"trials"`
	Interrupted bool          `json:"interrupted,omitempty"` // by Ctrl-C or SIGTERM
}
