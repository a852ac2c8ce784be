package lab

// item is one record of the data set that /json/:count serialises: the kinds of value that a real answer mixes.
type item struct {
	id              int64
	name, category  string
	price, quantity int64
	active          bool
	tags            []string
	score, reviews  int64
}

const datasetItems = 50

// Words that the data set's strings are made of.
var (
	makes      = []string{"Amber", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper"}
	things     = []string{"Lantern", "Kettle", "Compass", "Ladder", "Speaker", "Notebook", "Backpack"}
	categories = []string{"kitchen", "garden", "office", "travel", "audio", "outdoor"}
	labels     = []string{"new", "sale", "popular", "light", "sturdy", "handmade", "recycled", "waterproof"}
)

// dataset is the same on every machine and in every build: figures are compared over releases.
var dataset = makeDataset()

func makeDataset() []item {
	items := make([]item, datasetItems)
	seed := uint64(1)
	next := func(n int) int { // a linear congruential generator: Knuth's MMIX, of which the high bits are good
		seed = seed*6364136223846793005 + 1442695040888963407
		return int((seed >> 33) % uint64(n))
	}
	for i := range items {
		it := &items[i]
		it.id = int64(i + 1)
		it.name = makes[next(len(makes))] + " " + things[next(len(things))]
		it.category = categories[next(len(categories))]
		it.price = int64(5 + next(495))
		it.quantity = int64(1 + next(100))
		it.active = next(4) > 0
		first := next(len(labels))
		for t := range 1 + next(4) {
			it.tags = append(it.tags, labels[(first+t)%len(labels)])
		}
		it.score = int64(1 + next(50))
		it.reviews = int64(next(500))
	}
	return items
}
