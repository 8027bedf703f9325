package manage

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"bucketgate/bitbucket"
	"bucketgate/internal/store"
)

// Export writes what is stored as a file that [ParseFile] reads, without
// secrets, and the same for the same records. Applied again it changes nothing.
// Revoked clients are left out.
func (s *Service) Export(ctx context.Context) ([]byte, error) {
	var file File
	var comments []string
	err := s.config.Store.View(ctx, func(tx *store.Tx) (err error) {
		file, comments, err = fileOf(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return file.encode(comments)
}

// fileOf reads all records, and words what is stored of each credential's
// secrets.
func fileOf(tx *store.Tx) (file File, keys []string, err error) {
	providers, err := tx.Providers()
	if err != nil {
		return File{}, nil, err
	}
	credentials, err := tx.Credentials("")
	if err != nil {
		return File{}, nil, err
	}
	scopes, err := tx.Scopes()
	if err != nil {
		return File{}, nil, err
	}
	clients, err := tx.Clients()
	if err != nil {
		return File{}, nil, err
	}
	slices.SortFunc(credentials, func(a, b store.Credential) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Name, b.Name))
	})
	for _, c := range credentials {
		keys = append(keys, keyComment(c))
	}
	clients = slices.DeleteFunc(clients, func(c store.Client) bool { return !c.RevokedAt.IsZero() })
	return File{
		Providers: mapped(providers, exportProvider), Credentials: mapped(credentials, exportCredential),
		Scopes: mapped(scopes, exportScope), Clients: mapped(clients, exportClient),
	}, keys, nil
}

func mapped[A, B any](list []A, convert func(A) B) []B {
	out := make([]B, len(list))
	for i, one := range list {
		out[i] = convert(one)
	}
	return out
}

func exportProvider(p store.Provider) fileProvider {
	out := fileProvider{Name: p.Name, Type: p.Type, Workspace: p.Workspace, Description: prose(p.Description)}
	if p.API != bitbucket.DefaultAPI {
		out.API = p.API
	}
	return out
}

func exportCredential(c store.Credential) fileCredential {
	out := fileCredential{Provider: c.Provider, Name: c.Name, Username: c.Username}
	if !c.ExpiresOn.IsZero() {
		out.ExpiresOn = c.ExpiresOn.Format(time.DateOnly)
	}
	for _, f := range c.Fields {
		out.Fields = append(out.Fields, fileField{Key: f.Key, Value: f.Value, Sensitive: f.Sensitive})
	}
	return out
}

func exportScope(s store.Scope) fileScope {
	actions := make([]string, len(s.Actions))
	for i, action := range s.Actions {
		actions[i] = string(action)
	}
	return fileScope{
		Name: s.Name, Provider: s.Provider, Credential: s.Credential, Description: prose(s.Description),
		Repositories: s.Repositories, AllRepositories: len(s.Repositories) == 0, ExcludeRepositories: s.ExcludeRepositories,
		Branches: s.Branches, AllBranches: len(s.Branches) == 0, ExcludeBranches: s.ExcludeBranches,
		Actions: actions,
	}
}

func exportClient(c store.Client) fileClient {
	out := fileClient{Name: c.Name, Role: c.Role, Scopes: c.Scopes}
	if lasts := c.ExpiresAt.Sub(c.CreatedAt).Round(time.Second); !c.ExpiresAt.IsZero() && lasts > 0 {
		out.ExpiresIn = formatLasting(lasts)
	}
	return out
}

// keyComment says what is known of a key. The hint is shown only where it
// cannot end the comment.
func keyComment(c store.Credential) string {
	if !c.KeySet {
		return "api_key: not set"
	}
	words := "api_key: set"
	if c.KeyHint != "" && !strings.ContainsFunc(c.KeyHint, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) }) {
		words += ", ends in …" + c.KeyHint
	}
	return words + ", on " + c.KeySetAt.UTC().Format(time.DateOnly)
}

// MarshalYAML writes the value of a field also where it is empty, and never that
// of a sensitive one.
func (f fileField) MarshalYAML() (any, error) {
	out := struct {
		Key       *yaml.Node `yaml:"key"`
		Value     *yaml.Node `yaml:"value,omitempty"`
		Sensitive bool       `yaml:"sensitive,omitempty"`
	}{Key: written(f.Key), Sensitive: f.Sensitive}
	if !f.Sensitive {
		out.Value = written(f.Value)
	}
	return out, nil
}

// MarshalYAML writes all of the text.
func (p prose) MarshalYAML() (any, error) { return written(string(p)), nil }

// written is text as it stands in the file. What holds line breaks, or blanks at
// an end, is put in double quotes: that is the one style that keeps all of it.
// The style that the library takes for text that begins with a line break it
// cannot read itself.
func written(text string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if strings.ContainsFunc(text, unicode.IsControl) || strings.TrimSpace(text) != text {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

const exportWords = "Made by bucketgate export: no secrets. bucketgate apply -f FILE reads it."

// encode writes the file as YAML, with a comment on each credential.
func (f File) encode(comments []string) ([]byte, error) {
	var root yaml.Node
	if err := root.Encode(f); err != nil {
		return nil, fmt.Errorf("writing the export: %w", err)
	}
	root.HeadComment = exportWords
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "credentials" {
			for j, item := range root.Content[i+1].Content {
				item.HeadComment = comments[j]
			}
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return nil, fmt.Errorf("writing the export: %w", err)
	}
	return out.Bytes(), encoder.Close()
}
