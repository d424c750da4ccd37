package admission_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
)

// used is what a process has used so far.
type used struct {
	cpu      time.Duration
	resident int64
	peak     int64
}

// since is what it has used after the other; peak is above what it held then.
func (u used) since(before used) used {
	return used{cpu: u.cpu - before.cpu, peak: max(0, u.peak-before.resident)}
}

// usage reads the program's CPU time, which the kernel counts in hundredths of a
// second, and its peak of memory since the last call. Elsewhere than on Linux it is zero.
func usage(t *testing.T, p *program.Program) used {
	t.Helper()
	folder := fmt.Sprintf("/proc/%d/", p.PID())
	stat, err := os.ReadFile(folder + "stat")
	if err != nil {
		return used{}
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	status, err := os.ReadFile(folder + "status")
	require.NoError(t, err)
	_ = os.WriteFile(folder+"clear_refs", []byte("5"), 0) // begins a new peak
	return used{
		cpu:      time.Duration(user+system) * 10 * time.Millisecond,
		resident: kibibytes(string(status), "VmRSS:"),
		peak:     kibibytes(string(status), "VmHWM:"),
	}
}

func kibibytes(status, name string) int64 {
	_, rest, _ := strings.Cut(status, name)
	n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return n << 10
}

// standardIntrospection is what graphql-js sends, with its deepest type reference.
const standardIntrospection = `query IntrospectionQuery { __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
  types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`
