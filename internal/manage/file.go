package manage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v3"

	"bucketgate/internal/secret"
)

// A File is what `bucketgate apply` reads and `bucketgate export` writes:
// records as the create commands take them. Its JSON tags are the keys of the
// file; one without omitempty must be there.
type File struct {
	Providers   []fileProvider   `json:"providers,omitempty" yaml:"providers" jsonschema_description:"Bitbucket workspaces"`
	Credentials []fileCredential `json:"credentials,omitempty" yaml:"credentials" jsonschema_description:"Keys of the providers. The key itself never stands in the file"`
	Scopes      []fileScope      `json:"scopes,omitempty" yaml:"scopes" jsonschema_description:"What an agent may reach"`
	Clients     []fileClient     `json:"clients,omitempty" yaml:"clients" jsonschema_description:"Agents and admins that connect over HTTP. A new one has no key: bucketgate client key NAME makes one"`
}

// A prose is text that may have several lines.
type prose string

type fileProvider struct {
	place       `json:"-" yaml:"-"`
	Name        string `json:"name" yaml:"name"`
	Type        string `json:"type,omitempty" yaml:"type,omitempty" jsonschema:"enum=bitbucket"`
	Workspace   string `json:"workspace" yaml:"workspace" jsonschema_description:"The slug in the address of the workspace's page"`
	Description prose  `json:"description,omitempty" yaml:"description,omitempty"`
	API         string `json:"api_url,omitempty" yaml:"api_url,omitempty" jsonschema_description:"Left out for Bitbucket Cloud"`
}

type fileCredential struct {
	place      `json:"-" yaml:"-"`
	Provider   string      `json:"provider" yaml:"provider"`
	Name       string      `json:"name" yaml:"name" jsonschema_description:"Unique within the provider"`
	Username   string      `json:"username,omitempty" yaml:"username,omitempty" jsonschema_description:"The email of the Atlassian account; left out for an access token"`
	APIKeyEnv  string      `json:"api_key_env,omitempty" yaml:"api_key_env,omitempty" jsonschema_description:"The environment variable that holds the key. With neither this nor api_key_file the stored key is kept"`
	APIKeyFile string      `json:"api_key_file,omitempty" yaml:"api_key_file,omitempty" jsonschema_description:"The file that holds the key, from the folder of this file"`
	Fields     []fileField `json:"fields,omitempty" yaml:"fields,omitempty" jsonschema_description:"Further values that are stored and never sent"`
	ExpiresOn  string      `json:"expires_on,omitempty" yaml:"expires_on,omitempty" jsonschema:"format=date"`

	key secret.Text // what api_key_env or api_key_file name
	day time.Time   // what expires_on says
}

type fileField struct {
	place     `json:"-" yaml:"-"`
	Key       string `json:"key" yaml:"key"`
	Value     string `json:"value,omitempty" yaml:"value,omitempty" jsonschema_description:"Of a field that is not sensitive"`
	Sensitive bool   `json:"sensitive,omitempty" yaml:"sensitive,omitempty"`
	ValueEnv  string `json:"value_env,omitempty" yaml:"value_env,omitempty" jsonschema_description:"The environment variable that holds the value"`
	ValueFile string `json:"value_file,omitempty" yaml:"value_file,omitempty" jsonschema_description:"The file that holds the value, from the folder of this file"`

	secret secret.Text // what value_env or value_file name
}

type fileScope struct {
	place               `json:"-" yaml:"-"`
	Name                string   `json:"name" yaml:"name"`
	Provider            string   `json:"provider" yaml:"provider"`
	Credential          string   `json:"credential" yaml:"credential" jsonschema_description:"One of the provider's"`
	Description         prose    `json:"description,omitempty" yaml:"description,omitempty"`
	Repositories        []string `json:"repositories,omitempty" yaml:"repositories,omitempty" jsonschema_description:"Regular expressions (RE2) that match a whole slug"`
	AllRepositories     bool     `json:"all_repositories,omitempty" yaml:"all_repositories,omitempty" jsonschema_description:"Needed where the file empties the list"`
	ExcludeRepositories []string `json:"exclude_repositories,omitempty" yaml:"exclude_repositories,omitempty"`
	Branches            []string `json:"branches,omitempty" yaml:"branches,omitempty" jsonschema_description:"Regular expressions (RE2) that match a whole branch name"`
	AllBranches         bool     `json:"all_branches,omitempty" yaml:"all_branches,omitempty" jsonschema_description:"Needed where the file empties the list"`
	ExcludeBranches     []string `json:"exclude_branches,omitempty" yaml:"exclude_branches,omitempty"`
	Actions             []string `json:"actions,omitempty" yaml:"actions,omitempty" jsonschema:"enum=read"`
}

type fileClient struct {
	place     `json:"-" yaml:"-"`
	Name      string   `json:"name" yaml:"name"`
	Role      string   `json:"role,omitempty" yaml:"role,omitempty" jsonschema:"enum=agent,enum=admin"`
	Scopes    []string `json:"scopes,omitempty" yaml:"scopes,omitempty" jsonschema_description:"The scopes that it may use; none means none"`
	ExpiresIn string   `json:"expires_in,omitempty" yaml:"expires_in,omitempty" jsonschema_description:"Such as 36h or 90d, counted from when the client was created. Left out, a client keeps the expiry that it has"`

	lasts time.Duration // what expires_in says
}

// A place is where a mapping and its values stand in the file.
type place struct{ lines map[string]int }

func (p *place) locate(lines map[string]int) { p.lines = lines }

// line is the line of a key's value, or the mapping's where there is no such
// key.
func (p *place) line(key string) int {
	if line, ok := p.lines[key]; ok {
		return line
	}
	return p.lines[""]
}

func (p *place) has(key string) bool { _, ok := p.lines[key]; return ok }

func element(key string, i int) string { return key + "/" + strconv.Itoa(i) }

// MaxFile is how many bytes a file may have.
const MaxFile = 1 << 20

const (
	maxProblems  = 10       // that are told at once
	maxSource    = 64 << 10 // of a file that holds one secret
	syntaxBudget = 32 << 20 // bytes to parse in search of a mistake's line
)

// Sources is where the secrets that a file names are read from.
type Sources struct {
	LookupEnv func(name string) (string, bool)
	ReadFile  func(path string) ([]byte, error)
}

// FileSchema returns the JSON Schema of a [File], for editors.
func FileSchema() ([]byte, error) {
	reflector := jsonschema.Reflector{DoNotReference: true, ExpandedStruct: true, Anonymous: true}
	schema := reflector.Reflect(new(File))
	schema.Title = "Bucketgate: a file for bucketgate apply"
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("making the JSON Schema: %w", err)
	}
	return append(text, '\n'), nil
}

// ParseFile reads a file and the secrets that it names. It is strict, and the
// error says on which lines it is wrong and what to write instead; it never
// holds a value of the file, which could be a key in the wrong place.
func ParseFile(text []byte, sources Sources) (File, error) {
	root, err := parseYAML(text)
	if err != nil {
		return File{}, err
	}
	var file File
	var p problems
	p.mapping(root, reflect.ValueOf(&file).Elem(), "")
	if p.list == nil {
		p.complete(&file, sources)
	}
	return file, p.err()
}

// parseYAML returns the one document of a file.
func parseYAML(text []byte) (*yaml.Node, error) {
	if len(text) > MaxFile {
		return nil, refusef("the file has more than %d bytes: split it in two", MaxFile)
	}
	if !utf8.Valid(text) {
		return nil, refusef("line %d: the file is not UTF-8", lineOfInvalid(text))
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, next yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) || err == nil && isNull(document.Content[0]) {
		return nil, refusef("the file is empty: write providers:, credentials:, scopes: or clients:")
	}
	if err == nil {
		err = decoder.Decode(&next)
	}
	switch {
	case err == nil:
		return nil, refusef("line %d: a second document begins: put all into one", next.Line)
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(text, err)
	}
	return document.Content[0], nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func lineOfInvalid(text []byte) int {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if !utf8.Valid(line) {
			return i + 1
		}
	}
	return 1
}

var (
	yamlWords   = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)
	quotedWords = regexp.MustCompile(`'.*'`)
)

// syntaxError says where a file is no YAML. The parser names the line where the
// surrounding list or mapping begins, or none: the mistake is in the line after
// the longest beginning of the file that can be read.
func syntaxError(text []byte, err error) error {
	words := yamlWords.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if words == nil {
		return refusef("the file is not YAML: %v", err)
	}
	line, _ := strconv.Atoi(words[1])
	words[2] = quotedWords.ReplaceAllString(words[2], "'…'") // a name of the file's
	lines := bytes.SplitAfter(text, []byte("\n"))
	size, budget := len(text), syntaxBudget
	for n := len(lines) - 1; n >= 0 && budget > 0; n-- {
		size -= len(lines[n])
		budget -= size
		var beginning yaml.Node
		if yaml.Unmarshal(text[:size], &beginning) == nil {
			line = n + 1
			break
		}
	}
	return refusef("line %d: this is not YAML: %s", max(line, 1), words[2])
}

// problems are the mistakes of a file.
type problems struct{ list []problem }

type problem struct {
	line  int
	words string
}

func (p *problems) add(line int, where, format string, args ...any) {
	words := fmt.Sprintf(format, args...)
	if where != "" {
		words = where + ": " + words
	}
	p.list = append(p.list, problem{line, words})
}

// err tells the mistakes in the order of their lines.
func (p *problems) err() error {
	if p.list == nil {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b problem) int { return cmp.Compare(a.line, b.line) })
	var lines []string
	for _, one := range p.list[:min(len(p.list), maxProblems)] {
		lines = append(lines, fmt.Sprintf("line %d: %s", one.line, one.words))
	}
	if more := len(p.list) - maxProblems; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more mistakes", more))
	}
	return &Refused{Words: strings.Join(lines, "\n")}
}

// mapping reads a mapping into a struct. where is the list that it stands in.
func (p *problems) mapping(n *yaml.Node, into reflect.Value, where string) {
	if !p.plain(n, where) {
		return
	}
	if n.Kind != yaml.MappingNode {
		p.add(n.Line, where, "this is not a mapping: write key: value, of %s", strings.Join(keysOf(into.Type()), ", "))
		return
	}
	lines := map[string]int{"": n.Line}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if field, ok := p.key(key, into, where, lines); ok {
			lines[key.Value] = value.Line
			p.value(value, field, where, key.Value, lines)
		}
	}
	for i := range into.NumField() {
		if key, required := keyOf(into.Type().Field(i)); required && lines[key] == 0 {
			p.add(n.Line, where, "%s is missing", key)
		}
	}
	if located, ok := into.Addr().Interface().(interface{ locate(map[string]int) }); ok {
		located.locate(lines)
	}
}

// key returns the struct's field that a key stands for.
func (p *problems) key(key *yaml.Node, into reflect.Value, where string, seen map[string]int) (reflect.Value, bool) {
	if !p.plain(key, where) {
		return reflect.Value{}, false
	}
	if key.ShortTag() == "!!merge" {
		p.add(key.Line, where, "merge keys (<<) are not taken: write the keys out")
		return reflect.Value{}, false
	}
	for i := range into.NumField() {
		if name, _ := keyOf(into.Type().Field(i)); name != "" && name == key.Value && key.Kind == yaml.ScalarNode {
			if before := seen[name]; before != 0 {
				p.add(key.Line, where, "%s is given twice, first on line %d", name, before)
				return reflect.Value{}, false
			}
			return into.Field(i), true
		}
	}
	p.unknownKey(key, keysOf(into.Type()), where)
	return reflect.Value{}, false
}

// unknownKey names an unknown key only where it is a plain word.
func (p *problems) unknownKey(key *yaml.Node, known []string, where string) {
	switch {
	case key.Kind != yaml.ScalarNode || !plainKey.MatchString(key.Value):
		p.add(key.Line, where, "unknown key; the keys are %s", strings.Join(known, ", "))
	case key.Value == "api_key":
		p.add(key.Line, where, "a key does not stand in the file: write api_key_env and the name of its variable, or api_key_file and the path of its file")
	case nearest(key.Value, known) != "":
		p.add(key.Line, where, "unknown key %s; did you mean %s?", key.Value, nearest(key.Value, known))
	default:
		p.add(key.Line, where, "unknown key %s; the keys are %s", key.Value, strings.Join(known, ", "))
	}
}

var plainKey = regexp.MustCompile(`\A[A-Za-z][A-Za-z_-]{0,39}\z`)

// keyOf returns the key of a field, and whether it must be there.
func keyOf(field reflect.StructField) (key string, required bool) {
	key, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	if key == "-" || !field.IsExported() {
		return "", false
	}
	return key, key != "" && options != "omitempty"
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key, _ := keyOf(t.Field(i)); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// plain refuses what makes YAML say one thing and mean another.
func (p *problems) plain(n *yaml.Node, where string) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		p.add(n.Line, where, "aliases (*name) are not taken: write the value out")
	case n.Anchor != "":
		p.add(n.Line, where, "anchors (&name) are not taken: leave it out")
	case n.Style&yaml.TaggedStyle != 0:
		p.add(n.Line, where, "tags (!name) are not taken: leave it out")
	default:
		return true
	}
	return false
}

// value reads the value of a key.
func (p *problems) value(n *yaml.Node, into reflect.Value, where, key string, lines map[string]int) {
	if !p.plain(n, where) {
		return
	}
	if isNull(n) {
		p.add(n.Line, where, "%s has no value: write one, or leave the key out", key)
		return
	}
	switch into.Kind() {
	case reflect.Slice:
		p.sequence(n, into, where, key, lines)
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			p.add(n.Line, where, "%s is true or false", key)
			return
		}
		into.SetBool(strings.EqualFold(n.Value, "true"))
	default:
		p.text(n, into, where, key)
	}
}

func (p *problems) sequence(n *yaml.Node, into reflect.Value, where, key string, lines map[string]int) {
	if n.Kind != yaml.SequenceNode {
		p.add(n.Line, where, "%s is a list: write each of its items on a line of its own, after a dash", key)
		return
	}
	list := reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		lines[element(key, i)] = item.Line
		if list.Index(i).Kind() == reflect.Struct {
			p.mapping(item, list.Index(i), strings.TrimPrefix(where+": "+key, ": "))
		} else if p.plain(item, where) {
			p.text(item, list.Index(i), where, "an item of "+key)
		}
	}
	into.Set(list)
}

func (p *problems) text(n *yaml.Node, into reflect.Value, where, key string) {
	if tag := n.ShortTag(); n.Kind != yaml.ScalarNode || tag != "!!str" && tag != "!!timestamp" {
		p.add(n.Line, where, "%s is text: put it in quotes where it could be a number or true or false", key)
		return
	}
	into.SetString(n.Value)
}

// complete reads what the file's texts stand for, and finds what is there
// twice.
func (p *problems) complete(file *File, sources Sources) {
	providers, credentials, scopes, clients := namesakes{}, namesakes{}, namesakes{}, namesakes{}
	for i := range file.Providers {
		providers.meet(p, "providers", file.Providers[i].Name, file.Providers[i].line("name"))
	}
	for i := range file.Credentials {
		c := &file.Credentials[i]
		credentials.meet(p, "credentials", c.Provider+"/"+c.Name, c.line("name"))
		p.credential(c, sources)
	}
	for i := range file.Scopes {
		scopes.meet(p, "scopes", file.Scopes[i].Name, file.Scopes[i].line("name"))
		p.scope(&file.Scopes[i])
	}
	for i := range file.Clients {
		c := &file.Clients[i]
		clients.meet(p, "clients", c.Name, c.line("name"))
		p.lasting(c)
	}
}

// namesakes are the lines of the names that were met.
type namesakes map[string]int

func (n namesakes) meet(p *problems, where, name string, line int) {
	if before := n[name]; before != 0 {
		p.add(line, where, "this name is given twice, first on line %d", before)
		return
	}
	n[name] = line
}

func (p *problems) credential(c *fileCredential, sources Sources) {
	const where = "credentials"
	if c.has("api_key_env") && c.has("api_key_file") {
		p.add(c.line("api_key_file"), where, "api_key_env and api_key_file are both given: leave one out")
		return
	}
	c.key = p.source(&c.place, where, "api_key_env", c.APIKeyEnv, "api_key_file", c.APIKeyFile, sources)
	if c.ExpiresOn != "" {
		day, err := time.Parse(time.DateOnly, c.ExpiresOn)
		if err != nil {
			p.add(c.line("expires_on"), where, "expires_on is a day such as 2027-12-31")
		}
		c.day = day
	}
	for i := range c.Fields {
		p.field(&c.Fields[i], sources)
	}
}

func (p *problems) field(f *fileField, sources Sources) {
	const where = "credentials: fields"
	given := 0
	for _, key := range []string{"value", "value_env", "value_file"} {
		if f.has(key) {
			given++
		}
	}
	switch {
	case given > 1:
		p.add(f.line(""), where, "a field has one of value, value_env and value_file")
	case f.Sensitive && f.has("value"):
		p.add(f.line("value"), where, "the value of a sensitive field does not stand in the file: write value_env or value_file")
	case !f.Sensitive && given == 0:
		p.add(f.line(""), where, "the field has no value: write value, value_env or value_file")
	default:
		f.secret = p.source(&f.place, where, "value_env", f.ValueEnv, "value_file", f.ValueFile, sources)
	}
	if !f.Sensitive && !f.has("value") {
		f.Value, f.secret = f.secret.Reveal(), secret.Text{}
	}
}

// source reads a secret from the variable or the file that is named. What is
// named is not repeated: it could be the key itself.
func (p *problems) source(at *place, where, envKey, variable, fileKey, path string, sources Sources) secret.Text {
	switch {
	case at.has(envKey):
		value, ok := sources.LookupEnv(variable)
		if !ok || strings.TrimSpace(value) == "" {
			p.add(at.line(envKey), where, "the variable that %s names is not set, or empty", envKey)
		}
		return secret.NewText(value)
	case at.has(fileKey):
		content, err := sources.ReadFile(path)
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			err = pathError.Err
		}
		value := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
		switch {
		case err != nil:
			p.add(at.line(fileKey), where, "the file that %s names cannot be read: %v", fileKey, err)
		case strings.TrimSpace(value) == "" || len(value) > maxSource:
			p.add(at.line(fileKey), where, "the file that %s names is empty, or longer than %d bytes", fileKey, maxSource)
		}
		return secret.NewText(value)
	}
	return secret.Text{}
}

func (p *problems) scope(s *fileScope) {
	if s.AllRepositories && len(s.Repositories) > 0 {
		p.add(s.line("all_repositories"), "scopes", "all_repositories and a list of repositories are both given: leave one out")
	}
	if s.AllBranches && len(s.Branches) > 0 {
		p.add(s.line("all_branches"), "scopes", "all_branches and a list of branches are both given: leave one out")
	}
}

func (p *problems) lasting(c *fileClient) {
	if !c.has("expires_in") {
		return
	}
	lasts, ok := ParseDuration(c.ExpiresIn)
	if !ok {
		p.add(c.line("expires_in"), "clients", "expires_in is a duration above zero, such as 36h or 90d")
	}
	c.lasts = lasts
}

const wholeDay = 24 * time.Hour

// ParseDuration reads a duration as people write it everywhere in the product:
// one of Go's or whole days (2s, 36h, 90d), above zero.
func ParseDuration(text string) (time.Duration, bool) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.ParseUint(number, 10, 32)
		return time.Duration(days) * wholeDay, err == nil && days > 0 && days < math.MaxInt64/uint64(wholeDay)
	}
	lasts, err := time.ParseDuration(text)
	return lasts, err == nil && lasts > 0
}

// formatLasting is the reverse of ParseDuration.
func formatLasting(lasts time.Duration) string {
	if lasts%wholeDay == 0 {
		return strconv.FormatInt(int64(lasts/wholeDay), 10) + "d"
	}
	return lasts.String()
}
