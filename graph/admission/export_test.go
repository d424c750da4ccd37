package admission

// CallWeight is the weight of a job.
const CallWeight = callWeight

// PriceOfField is the weight of each entry of a field and the size that its list is taken to
// have, as the table has them.
func PriceOfField(name string) (weight, size int) { return prices[name].weight, prices[name].size }

// Prices is the whole table.
func Prices() map[string]price { return prices }

// Parse takes all places of those who read a text, until the test lets them go.
func (g *Guard) Parse() (release func()) {
	for range maxParsing {
		g.parsing <- struct{}{}
	}
	return func() {
		for range maxParsing {
			<-g.parsing
		}
	}
}
