package program_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"jobgraph/graph/e2e/gqltest"
	"jobgraph/graph/e2e/program"
)

const deploy = top + "/graph/deploy"

// expressions are all of the dashboard's and the alerts'.
func expressions(t *testing.T) (all []string) {
	t.Helper()
	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	text, err := os.ReadFile(deploy + "/prometheus/alerts.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &alerts))
	page := pages(t)["graph/OPERATING.md"]
	for _, rule := range alerts.Groups[0].Rules {
		all = append(all, rule.Expr)
		assert.NotEmpty(t, rule.Annotations["action"], rule.Alert)
		assert.Contains(t, page, "| `"+rule.Alert+"` |", "the runbook")
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err = os.ReadFile(deploy + "/grafana/jobgraph.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &dashboard))
	require.Greater(t, len(dashboard.Panels), 15)
	for _, panel := range dashboard.Panels {
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

func TestDeploy_EachMetricOfTheDashboardAndTheAlertsIsThere(t *testing.T) {
	p := program.Start(t)
	ask(t, p, askDocumented)
	gqltest.Get(t, p.URL+"/graphql?query="+url.QueryEscape(`subscription { jobUpdated(ids: "d4fb871e07514304b23131b45f8caa1f") { __typename } }`), "Accept", "text/event-stream")
	exposed := p.Metrics(t)
	name := regexp.MustCompile(`\b(?:jobgraph|go|process)_\w+`)
	shown := map[string]bool{}
	for _, expression := range expressions(t) {
		names := name.FindAllString(expression, -1)
		if !strings.Contains(expression, "up{") {
			assert.NotEmpty(t, names, expression)
		}
		for _, metric := range names {
			shown[metric] = true
			assert.Regexp(t, `(?m)^`+metric+`[{ ]`, exposed, metric)
		}
	}
	for _, metric := range regexp.MustCompile(`(?m)^# TYPE (jobgraph_\w+)`).FindAllStringSubmatch(exposed, -1) {
		assert.True(t, shown[metric[1]] || shown[metric[1]+"_count"], "%s is on no panel", metric[1])
		assert.Contains(t, pages(t)["graph/OPERATING.md"], "`"+metric[1]+"`", "the table of metrics")
	}
}

func TestDeploy_Promtool(t *testing.T) {
	promtool := program.NeedTool(t, "promtool")
	output, err := exec.Command(promtool, "check", "rules", deploy+"/prometheus/alerts.yaml").CombinedOutput()
	assert.NoError(t, err, string(output))
	p := program.Start(t)
	ask(t, p, askDocumented)
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(p.Metrics(t))
	output, err = check.CombinedOutput()
	assert.NoError(t, err, string(output))
}

// Manifests are YAML, and name what is there: the flags' variables, the ports, the probes.
func TestDeploy_FilesNameWhatIsThere(t *testing.T) {
	help, err := program.Command(t, "--help").Output()
	require.NoError(t, err)
	sandboxHelp, err := program.Command(t, "sandbox", "--help").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(deploy + "/*/*")
	require.NoError(t, err)
	require.Greater(t, len(files), 12)
	for _, file := range append(files, top+"/Dockerfile") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`JOBGRAPH_[A-Z_]+`).FindAllString(string(text), -1) {
			assert.Contains(t, string(help)+string(sandboxHelp), "$"+name, file)
		}
		if ext := filepath.Ext(file); ext == ".yaml" || ext == ".yml" {
			var content any
			assert.NoError(t, yaml.Unmarshal(text, &content), file)
		}
	}
	var compose struct {
		Services map[string]struct{ Environment map[string]string }
		Secrets  map[string]struct{ File string }
	}
	text, err := os.ReadFile(deploy + "/compose/compose.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &compose))
	for _, name := range []string{"jobgraph-1", "jobgraph-2"} {
		redis, err := url.Parse(compose.Services[name].Environment["JOBGRAPH_REDIS_URL"])
		require.NoError(t, err)
		assert.Contains(t, compose.Services, redis.Hostname(), "%s shares a Redis of the file", name)
	}
	for name, secret := range compose.Secrets {
		assert.FileExists(t, deploy+"/compose/"+secret.File, name)
	}
	secret, err := os.ReadFile(deploy + "/compose/" + compose.Secrets["fleet"].File)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(strings.TrimSpace(string(secret))), 32)
	p := program.Start(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		assert.Equal(t, http.StatusOK, gqltest.Get(t, p.URL+path).Status)
	}
}

// What the containers are given is enough for the settings that they run with, by the
// sizing table, and GOMEMLIMIT is nine tenths of it.
func TestDeploy_MemoryFitsTheSettings(t *testing.T) {
	var pod struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Env []struct {
							Name      string
							ValueFrom struct {
								ResourceFieldRef struct{ Resource string } `yaml:"resourceFieldRef"`
							} `yaml:"valueFrom"`
						}
						Resources struct {
							Requests, Limits struct{ Memory string }
						}
					}
				}
			}
		}
	}
	decodeYAML(t, deploy+"/kubernetes/deployment.yaml", &pod)
	container := pod.Spec.Template.Spec.Containers[0]
	var derived string
	for _, variable := range container.Env {
		if variable.Name == "GOMEMLIMIT" {
			derived = variable.ValueFrom.ResourceFieldRef.Resource
		}
	}
	assert.Equal(t, "requests.memory", derived, "GOMEMLIMIT")
	var compose struct {
		Jobgraph struct {
			Memory      string `yaml:"mem_limit"`
			Environment map[string]string
		} `yaml:"x-jobgraph"`
	}
	decodeYAML(t, deploy+"/compose/compose.yaml", &compose)
	const unitFile = deploy + "/systemd/jobgraph.service"
	unit, err := os.ReadFile(unitFile)
	require.NoError(t, err)
	inUnit := func(setting string) string {
		found := regexp.MustCompile(`(?m)^` + setting + `=(.*)$`).FindSubmatch(unit)
		require.NotNil(t, found, setting)
		return string(found[1])
	}
	settings := settingsOf(t, unitFile, deploy+"/kubernetes/deployment.yaml", deploy+"/kubernetes/kustomization.yaml", deploy+"/compose/compose.yaml")
	needed := memoryNeeded(t)(settings("--max-connections"), settings("--max-watched-jobs"))
	for place, given := range map[string]struct{ limit, soft string }{
		"kubernetes": {container.Resources.Limits.Memory, container.Resources.Requests.Memory},
		"compose":    {compose.Jobgraph.Memory, compose.Jobgraph.Environment["GOMEMLIMIT"]},
		"systemd":    {inUnit("MemoryMax"), inUnit("Environment=GOMEMLIMIT")},
	} {
		soft := inMebibytes(t, given.soft)
		assert.GreaterOrEqual(t, soft, needed, "%s: MiB", place)
		assert.InDelta(t, inMebibytes(t, given.limit)*0.9, soft, 5, place)
	}
}

// settingsOf gives the settings' defaults, and fails where one of the files says otherwise:
// the sums must then be done with that.
func settingsOf(t *testing.T, files ...string) func(flag string) float64 {
	t.Helper()
	defaults := map[string]string{}
	for _, row := range rows(t, pages(t)["graph/OPERATING.md"], "| flag | default |") {
		defaults[strings.Trim(row[0], "`")] = strings.Trim(row[1], "`")
	}
	return func(flag string) float64 {
		variable := "JOBGRAPH_" + strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(flag, "--"), "-", "_"))
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.NotRegexp(t, variable+`\b`, string(text), file)
		}
		return mebibytes(t, defaults[flag])
	}
}

func decodeYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), file)
}

// inMebibytes is a quantity as Kubernetes, Docker and Go write it, in MiB.
func inMebibytes(t *testing.T, quantity string) float64 {
	t.Helper()
	parts := regexp.MustCompile(`^(\d+)([MmGg])i?B?$`).FindStringSubmatch(quantity)
	require.NotNil(t, parts, quantity)
	value := mebibytes(t, parts[1])
	if strings.EqualFold(parts[2], "g") {
		value *= 1024
	}
	return value
}

// Two builds of one tree, in two folders, give the same bytes.
func TestDeploy_TheBuildIsReproducible(t *testing.T) {
	if os.Getenv("JOBGRAPH_REPRODUCIBLE") == "" {
		t.Skip("set JOBGRAPH_REPRODUCIBLE=1: it takes a minute to build everything as it is shipped")
	}
	dockerfile, err := os.ReadFile(top + "/Dockerfile")
	require.NoError(t, err)
	flags := regexp.MustCompile(`go build (.*) -o /jobgraph \.`).FindSubmatch(dockerfile)
	require.NotNil(t, flags)
	var built [2][]byte
	// A package that is compiled already is not compiled again for the second one, unless its
	// place is part of it: that a compiler gives the same for the same is Go's own promise.
	for n := range built {
		copied := filepath.Join(t.TempDir(), strings.Repeat("deeper/", n), "tree")
		require.NoError(t, os.MkdirAll(copied, 0o700))
		copying := exec.Command("sh", "-c", "git ls-files -z | xargs -0 cp --parents -t "+copied)
		copying.Dir = top
		output, err := copying.CombinedOutput()
		require.NoError(t, err, string(output))
		binary := filepath.Join(t.TempDir(), "jobgraph")
		build := exec.Command("sh", "-c", "CGO_ENABLED=0 go build -buildvcs=false "+string(flags[1])+" -o "+binary+" .")
		build.Dir = copied
		output, err = build.CombinedOutput()
		require.NoError(t, err, string(output))
		built[n], err = os.ReadFile(binary)
		require.NoError(t, err)
	}
	assert.True(t, string(built[0]) == string(built[1]), "the builds differ")
	assert.NotContains(t, string(built[0]), t.TempDir(), "no path of the builder is in it")
}
