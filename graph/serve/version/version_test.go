package version

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVersion_Of(t *testing.T) {
	const revision = "997c02b1f5d0a4f2c0d8d3f5a1b2c3d4e5f60718"
	settings := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}
	}
	build := func(version string, settings []debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: version}, Settings: settings}
	}
	for name, test := range map[string]struct {
		build           *debug.BuildInfo
		version, commit string
	}{
		"go run":               {build("(devel)", nil), "devel", "unknown"},
		"no build info":        {&debug.BuildInfo{}, "devel", "unknown"},
		"an installed release": {build("v1.2.3", nil), "v1.2.3", "unknown"},
		"a tagged checkout":    {build("v1.2.3", settings("false")), "v1.2.3", revision},
		"a changed checkout":   {build("v1.2.4-0.20260101000000-997c02b1f5d0+dirty", settings("true")), "v1.2.4-0.20260101000000-997c02b1f5d0+dirty", revision + "+dirty"},
		"a revision alone":     {build("(devel)", settings("false")), "997c02b1f5d0", revision},
		"a changed revision":   {build("", settings("true")), "997c02b1f5d0+dirty", revision + "+dirty"},
		"a short revision":     {build("", []debug.BuildSetting{{Key: "vcs.revision", Value: "42"}}), "42", "42"},
	} {
		info := of(test.build)
		assert.Equal(t, test.version, info.Version, name)
		assert.Equal(t, test.commit, info.Commit, name)
	}
	assert.Equal(t, "jobgraph v1.2.3 (commit unknown, go1.26.0)", of(build("v1.2.3", nil)).String())
}

// A test binary has build info and no version.
func TestVersion_Current(t *testing.T) {
	assert.Regexp(t, `^jobgraph \S+ \(commit \S+, go1\.\d+.*\)$`, Current().String())
}
