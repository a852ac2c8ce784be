package results

import (
	"cmp"
	"slices"
	"strings"

	"corelab/results/stacks"
)

// waitsForLock is the site of waits for a lock that is known as one.
const waitsForLock = "locks"

// waitSites tell what a thread waits for by the functions on its stack, the first that matches: a name that begins like one
// of them. A futex that no lock function called is most often a thread that has nothing to do: Go parks its threads there.
var waitSites = []struct {
	name      string
	functions []string
}{
	{waitsForLock, []string{"__pthread_mutex_lock", "pthread_mutex_lock", "___pthread_mutex_lock", "__lll_lock_wait", "lll_lock_wait", "pthread_rwlock_", "__pthread_rwlock_", "__mutex_lock", "rwsem_down_", "futex_lock_pi"}},
	{"epoll", []string{"ep_poll", "do_epoll_wait", "do_epoll_pwait"}},
	{"io_uring", []string{"io_cqring_wait"}},
	{"poll", []string{"do_sys_poll", "do_poll", "do_select"}},
	{"accept", []string{"inet_csk_accept"}},
	{"a full socket buffer", []string{"sk_stream_wait_memory"}},
	{"read", []string{"sk_wait_data", "wait_woken", "tcp_recvmsg", "unix_stream_read_generic", "pipe_read", "eventfd_read"}},
	{"sleep", []string{"hrtimer_nanosleep", "do_nanosleep", "common_nsleep"}},
	{"disk", []string{"io_schedule", "folio_wait_", "wait_on_page_"}},
	{"futex (parked threads, or locks)", []string{"futex_wait", "__futex_wait", "do_futex"}},
	{"its turn on the CPU", []string{"preempt_schedule", "irqentry_exit", "exit_to_user_mode", "raw_irqentry_exit", "asm_sysvec_"}},
}

// wait is what the threads of a server did off the CPU, summed over them.
type wait struct {
	name  string
	share float64 // of all time off the CPU
}

// waits are what the row's threads waited for, longest first; nil where that was not recorded.
func (s *scene) waits() []wait {
	_, p := s.rec.ProfileOf(s.cell.Scenario, s.cell.Case, s.cell.Target, ProfileOffCPU)
	if p == nil {
		return nil
	}
	off, err := s.rec.Stacks(p)
	if err != nil || off.Total <= 0 {
		return nil
	}
	by := map[string]int64{}
	for _, st := range off.Stacks {
		by[waitOf(st.Frames)] += st.Value
	}
	var all []wait
	for name, v := range by {
		all = append(all, wait{name, float64(v) / float64(off.Total)})
	}
	slices.SortFunc(all, func(a, b wait) int { return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.name, b.name)) })
	return all
}

// waitOf is the site of one stack.
func waitOf(frames []stacks.Frame) string {
	for _, site := range waitSites {
		for _, f := range frames {
			if slices.ContainsFunc(site.functions, func(begin string) bool { return strings.HasPrefix(f.Name, begin) }) {
				return site.name
			}
		}
	}
	return "elsewhere"
}

// waitsShown is how many sites evidence names.
const waitsShown = 3

// waitsSeen names what the threads waited for.
func (s *scene) waitsSeen() []string {
	all := s.waits()
	if all == nil {
		return nil
	}
	var words []string
	for _, w := range all[:min(len(all), waitsShown)] {
		words = append(words, w.name+" "+inPercent(w.share))
	}
	return []string{"off the CPU, summed over its threads: " + strings.Join(words, ", ")}
}
