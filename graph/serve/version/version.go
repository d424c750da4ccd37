// Package version says which build of JobGraph this is, from what the Go command
// writes into the binary.
package version

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// Devel is the version of a build that was made of no known revision, such as by go run.
const Devel = "devel"

// Info names a build.
type Info struct {
	// Version is the module's version, or else the VCS revision; "devel" where
	// neither is known. A build of changed files ends in "+dirty".
	Version string
	// Commit is the whole VCS revision, "+dirty" included; "unknown" where there is none.
	Commit string
	// Go is the version of Go that made it.
	Go string
}

// String is what --version prints.
func (i Info) String() string {
	return fmt.Sprintf("jobgraph %s (commit %s, %s)", i.Version, i.Commit, i.Go)
}

// Current names the build that is running.
func Current() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return of(&debug.BuildInfo{})
	}
	return of(build)
}

func of(build *debug.BuildInfo) Info {
	var revision, dirty string
	for _, setting := range build.Settings {
		switch {
		case setting.Key == "vcs.revision":
			revision = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "+dirty"
		}
	}
	info := Info{Version: build.Main.Version, Commit: "unknown", Go: cmp.Or(build.GoVersion, "unknown Go")}
	if info.Version == "(devel)" {
		info.Version = ""
	}
	if revision != "" {
		info.Commit = revision + dirty
		info.Version = cmp.Or(info.Version, revision[:min(12, len(revision))]+dirty)
	}
	info.Version = cmp.Or(info.Version, Devel)
	return info
}
