package program_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"jobgraph/graph"
	"jobgraph/graph/e2e/program"
	"jobgraph/upstream/sandbox"
)

const top = "../../.."

// pages are all Markdown files of the tree by their paths from its top.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git" || entry.Name() == "testdata"):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(top, path)
		texts[filepath.ToSlash(name)] = string(text)
		return err
	})
	require.NoError(t, err)
	require.Contains(t, texts, "README.md")
	return texts
}

// fences are the blocks of a page that are marked with a language.
func fences(text, language string) []string {
	var blocks []string
	for _, match := range regexp.MustCompile("(?sm)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

func TestReadme_IsReadInOneSitting(t *testing.T) {
	assert.LessOrEqual(t, strings.Count(pages(t)["README.md"], "\n"), 250, "give what does not fit a page of its own, and link it")
}

// Each curl of a page is run as it stands there, but for the port; a JSON block
// that follows is its answer.
func TestPages_CurlsGiveTheirAnswers(t *testing.T) {
	program.NeedTool(t, "curl")
	facade, api := program.Start(t), program.Start(t, "sandbox")
	local := strings.NewReplacer("http://localhost:8080", facade.URL, "http://localhost:8090", api.URL)
	documented, err := os.ReadFile(top + "/upstream/sandbox/documented_job.json")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```sh\n(curl .*?)```(?:\n\n```json\n(.*?)```)?")
	answers, streams, jobs, blocks := 0, 0, 0, 0
	for page, text := range pages(t) {
		blocks += len(fences(text, "json"))
		for _, example := range block.FindAllStringSubmatch(text, -1) {
			command, answer := example[1], example[2]
			if strings.Contains(command, "text/event-stream") {
				// The stream goes on until the job has settled: its beginning will do.
				output, _ := exec.Command("sh", "-c", "exec "+local.Replace(strings.Replace(command, "curl ", "curl --max-time 2 ", 1))).Output()
				assert.Contains(t, string(output), "event: next", command)
				assert.Contains(t, string(output), `{"data":{"jobUpdated":{"status":"`, command)
				streams++
				continue
			}
			output, err := exec.Command("sh", "-c", local.Replace(command)).Output()
			require.NoError(t, err, command)
			switch {
			case answer != "":
				assert.JSONEq(t, answer, string(output), command)
				answers++
			case strings.Contains(command, "/api/job/info"):
				assert.Equal(t, string(documented), string(output))
				jobs++
			default:
				t.Errorf("%s gives no answer for %s", page, command)
			}
		}
	}
	assert.Equal(t, answers, blocks, "a JSON block that is no curl's answer is not tested")
	assert.Positive(t, answers)
	assert.Positive(t, streams)
	assert.Positive(t, jobs)
}

// A GraphQL block is an operation that the schema allows, or a piece of a schema.
func TestPages_GraphQLIsValid(t *testing.T) {
	sdl, err := os.ReadFile(top + "/schema.graphqls")
	require.NoError(t, err)
	plain, err := graph.PlainSDL(string(sdl))
	require.NoError(t, err)
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: plain})
	require.NoError(t, err)
	operations := 0
	for page, text := range pages(t) {
		for _, block := range fences(text, "graphql") {
			if _, err := parser.ParseSchema(&ast.Source{Input: block}); err == nil {
				continue
			}
			_, errs := gqlparser.LoadQueryWithRules(schema, block, rules.NewDefaultRules())
			assert.Empty(t, errs, "%s:\n%s", page, block)
			operations++
		}
	}
	assert.Positive(t, operations)
}

// A page that says go test -run NAME ./folder names tests that are there.
func TestPages_TestsAreThere(t *testing.T) {
	command := regexp.MustCompile("go test [^`\n]*-(?:run|fuzz) ([A-Za-z]+)[^`\n]*")
	folder := regexp.MustCompile(`\./[a-z0-9/]+`)
	found := 0
	for page, text := range pages(t) {
		for _, match := range command.FindAllStringSubmatch(text, -1) {
			where := folder.FindString(match[0])
			require.NotEmpty(t, where, "%s: %s", page, match[0])
			files, err := filepath.Glob(filepath.Join(top, where, "*_test.go"))
			require.NoError(t, err)
			named := regexp.MustCompile(`func (?:Test|Fuzz)?\w*` + match[1] + `\w*\(`)
			there := false
			for _, file := range files {
				code, err := os.ReadFile(file)
				require.NoError(t, err)
				there = there || named.Match(code)
			}
			assert.True(t, there, "%s: %s runs nothing", page, match[0])
			found++
		}
	}
	assert.Positive(t, found)
}

func TestPages_SandboxJobsAreTheSandboxes(t *testing.T) {
	text := pages(t)["upstream/sandbox/README.md"]
	for _, job := range sandbox.Jobs() {
		assert.Contains(t, text, "| `"+job.ID+"` | "+job.About+" | `"+job.Account+"` |")
	}
	assert.Contains(t, text, sandbox.Token)
}

// The settings' tables have exactly the flags of --help, and their defaults; the
// README repeats the first few.
func TestPages_SettingsAreTheFlags(t *testing.T) {
	help, err := program.Command(t, "--help").Output()
	require.NoError(t, err)
	words := strings.Join(strings.Fields(string(help)), " ")
	var flags []string
	for _, match := range regexp.MustCompile(`(?m)^ {6}(--[a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
		flags = append(flags, match[1])
	}
	var documented, first []string
	for page, text := range pages(t) {
		for _, match := range regexp.MustCompile("(?m)^\\| `(--[a-z-]+)` \\| (.*?) \\|").FindAllStringSubmatch(text, -1) {
			if page == "README.md" {
				first = append(first, match[1])
			} else {
				documented = append(documented, match[1])
			}
			if value := strings.Trim(match[2], "`"); value != "none" && value != "false" {
				_, after, _ := strings.Cut(words, match[1])
				line, _, _ := strings.Cut(after, "($JOBGRAPH")
				assert.Contains(t, line, value, "%s: default of %s", page, match[1])
			}
		}
	}
	assert.ElementsMatch(t, flags, documented)
	assert.NotEmpty(t, first)
	assert.Subset(t, flags, first)
}

// The walk of graph/doc.go names files that are there, in a good number.
func TestDoc_FilesAreThere(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "graph", "doc.go"))
	require.NoError(t, err)
	files := regexp.MustCompile(`(?:\.\./|\b)\w+/[\w/.]*\w\.go\b`).FindAllString(string(text), -1)
	require.Greater(t, len(files), 25)
	for _, file := range files {
		assert.FileExists(t, filepath.Join(top, "graph", file))
	}
}

// rows are the cells of a page's table from its head on.
func rows(t *testing.T, page, head string) (table [][]string) {
	t.Helper()
	_, after, found := strings.Cut(page, "\n"+head)
	require.True(t, found, head)
	for _, line := range strings.Split(after, "\n")[2:] {
		if !strings.HasPrefix(line, "| ") {
			break
		}
		table = append(table, strings.Split(strings.Trim(line, "| "), " | "))
	}
	require.NotEmpty(t, table, head)
	return table
}

// mebibytes is the number of a table's cell.
func mebibytes(t *testing.T, cell string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(cell, "MiB")), 64)
	require.NoError(t, err, cell)
	return value
}

// memoryNeeded is the sum of the table of memory, in MiB, that the program needs.
func memoryNeeded(t *testing.T) func(subscribers, watched float64) float64 {
	t.Helper()
	memory := map[string]float64{}
	for _, row := range rows(t, pages(t)["graph/OPERATING.md"], "| memory |") {
		name, _, _ := strings.Cut(row[0], ", ")
		memory[name] = mebibytes(t, row[1])
	}
	return func(subscribers, watched float64) float64 {
		return memory["busy"] + memory["large answers to slow readers"] + subscribers/1000*memory["1,000 subscribers"] + watched/1000*memory["1,000 watched jobs"]
	}
}

// The sizing table has the measured processor times, and its sums are right.
func TestPages_SizingFollowsFromWhatWasMeasured(t *testing.T) {
	number := func(cell string) float64 { return mebibytes(t, cell) }
	texts := pages(t)
	page := texts["graph/OPERATING.md"]
	measured := map[string]string{}
	for _, row := range rows(t, texts["graph/e2e/load/README.md"], "| 4 connections, nothing kept |") {
		measured[row[0]] = row[4]
	}
	seconds := map[string]float64{}
	for _, row := range rows(t, page, "| a query of |") {
		assert.Equal(t, measured[row[0]], row[1], row[0])
		seconds[row[0]] = number(row[1]) / 1000
		assert.InEpsilon(t, 0.7/seconds[row[0]], number(row[2]), 0.05, row[0])
	}
	needed := memoryNeeded(t)
	for _, row := range rows(t, page, "| queries a second | of |") {
		subscribers, watched := number(row[2]), number(row[3])
		require.Contains(t, seconds, row[1])
		cores := number(row[0])*seconds[row[1]]/0.7 + watched/10_000*0.2
		assert.InDelta(t, cores, number(row[4]), 0.1, row)
		assert.InDelta(t, needed(subscribers, watched), number(row[5]), 1, row)
		assert.InDelta(t, number(row[5])/0.9, number(row[6]), 1, row)
	}
}
