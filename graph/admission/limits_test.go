package admission_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"jobgraph/graph/admission"
)

// Whoever uses the handler without the program has the program's limits.
func TestLimits_DefaultsAreTheFlags(t *testing.T) {
	defaults := reflect.ValueOf(admission.DefaultLimits())
	for i := range defaults.NumField() {
		field := defaults.Type().Field(i)
		assert.Equal(t, field.Tag.Get("default"), fmt.Sprint(defaults.Field(i)), field.Name)
	}
}
