package program_test

import (
	"debug/buildinfo"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/program"
)

// Each module that the linker says is in the binary has its notice there.
func TestLicenses_NameEveryModuleOfTheBinary(t *testing.T) {
	command := program.Command(t, "licenses")
	printed, err := command.Output()
	require.NoError(t, err)
	build, err := buildinfo.ReadFile(command.Path)
	require.NoError(t, err)
	require.Greater(t, len(build.Deps), 20)
	parts := []string{
		"## Go", "Copyright 2009 The Go Authors.",
		"## jobgraph", "Apache License",
		"Copyright (c) 2025 gqlgen authors",                       // a module's own text
		"Copyright (c) 2013 The Go Authors. All rights reserved.", // of what client_golang has copied
		"## marked (MIT)", "## codicons (CC-BY-4.0)", // of the playground
	}
	for _, module := range build.Deps {
		parts = append(parts, "## "+module.Path+" "+module.Version)
	}
	lines := strings.Split(string(printed), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	for _, part := range parts {
		assert.True(t, slices.Contains(lines, part), "no line is %q: run go generate ./graph/serve/licenses", part)
	}
}
