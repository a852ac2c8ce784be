// Package gateway is an API gateway as an app: one pipeline of stages that runs on every core through the Loop that the
// core lends, so that the price of each stage can be measured on each.
//
//	client ─▶ route ─▶ observe ─▶ auth ─▶ limit ─▶ breaker ─▶ cache ─▶ balance ─▶ transform ─▶ forward ─▶ upstream
//	client ◀───────────────────── the same stages, in reverse ◀──────────────────────────────────────── upstream
//
// # A stage
//
// A [Stage] does no I/O of its own. It is a value of one configuration, compiled when that is loaded, read by all shards and
// never written. Where it stands in the order is said by the table in stages.go; a route has the stages that its
// configuration names and no others, in one flat slice: what is off is not there.
//
// Enter is called once for each request that comes as far, and answers with a [Verdict]:
//
//	Next  the following stage is entered
//	Done  the stage called Request.Answer or Request.Drop: nothing behind it is entered
//	Wait  the stage called Request.Wait, and keeps the Waiter for a callback of its own
//
// A Waiter is resumed once, by Resume, and the stage's Resumed (see [Waiting]) then gives the verdict, on the loop of the
// request's own connection. A callback of the request's own loop may also call Request.Answer or Drop, without Resume.
//
// Leave is called once for each stage that was entered, in reverse, with the [Outcome]: after the answer's last byte was
// taken, or the client left, or the connection failed. A stage that waits is left like any other, and must then end what
// it waits for; its Waiter is dead from then on. The head of the request can still be read in Leave.
//
// Nothing of one stage runs inside a method of another, nor inside its own: Answer only notes what to send, Resume only
// notes whom to resume. The machine does it when the callback under way has returned.
//
// # An answer
//
// Any stage may end a request by [Request.Answer], forward with what the upstream said. Before its head is sent, each stage
// entered that implements [Answering] sees it, in reverse, and may change it: wrap the Source to see the body go by, take
// another status. What the Answer refers to must stay as it is until the callback in which it was given has ended; a Body
// longer than httpcore's Limits.Inline for ever, see [httpcore.Reply]. Field lines that a stage wants in whatever answer
// comes (RateLimit, X-Cache-Status) go into Request.ToClient when the stage is entered, what it wants sent to the upstream
// into Request.ToUpstream. The names below both replace the lines of that name that come from the other side.
//
// # A request
//
// A stage reads the request by Request.X, the [httpcore.Exchange]. No slice that it returns may be kept over a Wait: the
// head moves into memory of its own then; read it again. The content waits, paused, until a stage asks for it by
// [Request.Stream]; forward does. Without that it is thrown away with the answer. A [Guard] sees it first, and may stop it.
//
// [Request] is one pooled struct for each request in flight, of its shard. What stages leave for each other has fixed
// places in it: Consumer, Endpoint, Target, and one struct for each stage (AuthPlace in auth.go …), all zeroed when the
// request ends. Memory that is worth keeping belongs to the shard's state.
//
// # Whose state
//
// There are three lives:
//
//   - [Snapshot]: what the configuration says, compiled: routes, stages, consumers, upstreams. Immutable; replaced whole, by
//     one pointer. A request keeps the one that it began with.
//   - [Shard]: what happened here: buckets, breaker states, pools, counters. A stage declares it when it is compiled, by
//     [Keep], under a kind and a name, and gets it by Kept.Of(shard). It survives a reload as long as the new configuration
//     names it too, and is retired otherwise ([Retirer]). It holds no settings: these come from the stage with each call, so
//     that a new rate or threshold holds at once for the old bucket or breaker.
//   - the process: what works in the background for all shards: key refreshes, health checks, Redis, the log's writer. A
//     stage declares it by [Share], under kind and name; it survives as long as it is named with the same settings. It is
//     started only when its configuration has been taken over, and must reach shards by atomics, or by [Shard.Do].
//
// # Whose turn
//
// A shard belongs to one reactor's loop, and then there is no lock. On cores whose loops each belong to one connection a
// shard is shared by many of them, and its mutex is held while anything of the gateway runs: the machine takes it around
// Serve, the body's pieces, the answer's Source and what [Request.After] and [Waiter.Post] call. A callback that a stage gave
// to a core by itself (an outbound connection's) begins with Request.Enter and ends with Request.Exit, or, where it is about
// no request, Shard.Lock and Shard.Unlock.
//
// In steady state a request allocates nothing and makes no system call beyond those of its two sockets.
package gateway
