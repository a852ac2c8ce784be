package stacks_test

import (
	"fmt"
	"os"
	"strings"

	"corelab/results/stacks"
)

// A folded profile, as other people's tools write it, by layer.
func ExampleProfile_Attribute() {
	const folded = `nginx;ngx_http_parse_request_line 15
nginx;writev;entry_SYSCALL_64_after_hwframe_[k];do_syscall_64_[k] 5
nginx;writev;do_syscall_64_[k];sock_write_iter_[k];tcp_sendmsg_[k];rep_movs_alternative_[k] 20
nginx;writev;do_syscall_64_[k];sock_write_iter_[k];tcp_sendmsg_[k];tcp_write_xmit_[k];tcp_v4_rcv_[k] 60
idle 300
`
	p, err := stacks.Unfold(strings.NewReader(folded), "count")
	if err != nil {
		fmt.Println(err)
		return
	}
	a := p.Attribute()
	for _, l := range stacks.Layers {
		if a.By[l] > 0 {
			fmt.Printf("%3d  %3.0f %%  %s\n", a.By[l], 100*a.Share(l), l)
		}
	}
	// Output:
	//  15   15 %  parse
	//   5    5 %  system-call entry and exit
	//  20   20 %  socket write
	//  60   60 %  TCP receive and softirq
	// 300    0 %  idle
}

func ExampleFold() {
	p := &stacks.Profile{Unit: "count", Stacks: []stacks.Stack{{Value: 3, Frames: []stacks.Frame{
		{Name: "coreserver"}, {Name: "runtime.mcall", Module: "coreserver"}, {Name: "do_futex", Module: stacks.KernelModule},
	}}}}
	stacks.Fold(os.Stdout, p)
	// Output: coreserver;runtime.mcall;do_futex_[k] 3
}
