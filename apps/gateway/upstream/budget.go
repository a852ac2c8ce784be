package upstream

// Budget bounds retries to a share of the requests: what fails because too much is asked must not be asked more. It
// belongs to a shard.
type Budget struct{ saved float64 }

// budgetMost is how many retries may be saved up: those of a short fault come at once.
const budgetMost = 20

// NewBudget returns a full one: the first requests of all may be retried.
func NewBudget() *Budget { return &Budget{budgetMost} }

// Asked notes a request, of whose number the share may be retried.
func (b *Budget) Asked(share float64) { b.saved = min(b.saved+share, budgetMost) }

// Spend takes a retry, if there is one.
func (b *Budget) Spend() bool {
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}
