package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

func (p program) credentialCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "credential", Short: "Manage credentials: keys of a provider, sealed", Args: usage(cobra.NoArgs), RunE: helpOnly}
	cmd.AddCommand(p.credentialList(), p.credentialShow(), p.credentialCreate(), p.credentialUpdate(), p.credentialDelete(), p.credentialTestCommand())
	return cmd
}

// A credentialView is a credential as it is printed: of its key no more than
// that it is set.
type credentialView struct {
	Provider  string      `json:"provider"`
	Name      string      `json:"name"`
	Username  string      `json:"username,omitempty"`
	Key       string      `json:"api_key"` // "set, ends in …wxyz"
	Fields    []fieldView `json:"fields,omitempty"`
	ExpiresOn string      `json:"expires_on,omitempty"`
	Version   int64       `json:"version"`
}

type fieldView struct {
	Key       string `json:"key"`
	Value     string `json:"value,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

func viewCredential(r store.Credential) credentialView {
	v := credentialView{
		Provider: r.Provider, Name: r.Name, Username: r.Username, Key: keyWords(r),
		ExpiresOn: date(r.ExpiresOn), Version: r.Version,
	}
	for _, f := range r.Fields {
		v.Fields = append(v.Fields, fieldView{f.Key, f.Value, f.Sensitive})
	}
	return v
}

func keyWords(r store.Credential) string { return manage.KeyWords(r) }

var credentialColumns = []string{"PROVIDER", "NAME", "USERNAME", "API KEY", "EXPIRES", "VERSION"}

func (v credentialView) row() []string {
	return []string{v.Provider, v.Name, v.Username, v.Key, v.ExpiresOn, strconv.FormatInt(v.Version, 10)}
}

func (p program) credentialList() *cobra.Command {
	var provider string
	cmd := p.officeCommand("list", "List credentials", cobra.NoArgs, func(f *office, c *invocation) error {
		records, err := f.Credentials(c.ctx, provider)
		if err != nil {
			return err
		}
		return printList(p, c.options, viewsOf(records, viewCredential), credentialColumns)
	})
	cmd.Flags().StringVar(&provider, "provider", "", "of this provider only")
	return cmd
}

func (p program) credentialShow() *cobra.Command {
	var provider string
	cmd := p.officeCommand("show NAME", "Show a credential", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		record, err := f.Credential(c.ctx, provider, c.args[0])
		if err != nil {
			return err
		}
		return printOne(p, c.options, viewCredential(record), credentialColumns)
	})
	addWhichProviderFlag(cmd, &provider)
	return cmd
}

func addWhichProviderFlag(cmd *cobra.Command, provider *string) {
	cmd.Flags().StringVar(provider, "provider", "", "the credential's provider, where two have one of the name")
}

// A credentialFlags is what the flags of create and update say.
type credentialFlags struct {
	provider, username, expiresOn string
	keyFile, keyVariable          string
	keyStdin                      bool
	fields, sensitiveFields       []string
}

func addCredentialFlags(cmd *cobra.Command, f *credentialFlags) {
	cmd.Flags().StringVar(&f.username, "username", "", "email of the Atlassian account; leave out for an access token")
	cmd.Flags().BoolVar(&f.keyStdin, "api-key-stdin", false, "read the API key from stdin")
	cmd.Flags().StringVar(&f.keyFile, "api-key-file", "", "read the API key from this file")
	cmd.Flags().StringVar(&f.keyVariable, "api-key-env", "", "read the API key from this environment variable")
	cmd.Flags().StringArrayVar(&f.fields, "field", nil, "another field, key=value; it is stored and never sent")
	cmd.Flags().StringArrayVar(&f.sensitiveFields, "sensitive-field", nil, "another field that is sealed, key=value")
	cmd.Flags().StringVar(&f.expiresOn, "expires-on", "", "day on which the key expires, such as 2027-01-31")
}

func (p program) credentialCreate() *cobra.Command {
	var flags credentialFlags
	cmd := p.officeCommand("create NAME --provider P [--api-key-stdin | --api-key-file F | --api-key-env VAR]", "Add a credential",
		cobra.ExactArgs(1), func(f *office, c *invocation) error {
			record := manage.Credential{Provider: flags.provider, Name: c.args[0], Username: flags.username}
			ask := asking{p.hidden(), "API key (it is not shown; nothing leaves it unset): "}
			if err := p.fillCredential(c.ctx, &record, flags, ask); err != nil {
				return err
			}
			created, err := f.CreateCredential(c.ctx, p.commandLine(), record)
			if err != nil {
				return err
			}
			next := "bucketgate credential test "
			if !created.KeySet {
				next = "set it with bucketgate credential update "
			}
			return p.done(c.options, "created credential "+created.Name+", key "+keyWords(created)+"; next: "+next+shellWord(created.Name), viewCredential(created))
		})
	cmd.Long = "The API key comes from stdin, a file or a variable, and never from an argument, which other users of the machine\ncan read. On a terminal, where no flag says, it is asked for and not shown."
	cmd.Example = `  bucketgate credential create reader --provider acme --username me@example.com
  bucketgate credential create reader --provider acme --username me@example.com --api-key-stdin < token.txt
  bucketgate credential create ci --provider acme --api-key-env ACCESS_TOKEN --expires-on 2027-01-31`
	cmd.Flags().StringVar(&flags.provider, "provider", "", "the provider that it is of")
	addCredentialFlags(cmd, &flags)
	needFlags(cmd, "provider")
	return cmd
}

func (p program) credentialUpdate() *cobra.Command {
	var flags credentialFlags
	var version int64
	cmd := p.officeCommand("update NAME", "Change a credential, or replace its key; what is not given stays", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		current, err := f.Credential(c.ctx, flags.provider, c.args[0])
		if err != nil {
			return err
		}
		record := manage.Credential{Provider: current.Provider, Name: current.Name, Username: current.Username, Fields: current.Fields, ExpiresOn: current.ExpiresOn}
		c.given("username", func() { record.Username = flags.username })
		if c.cmd.Flags().Changed("field") || c.cmd.Flags().Changed("sensitive-field") {
			record.Fields = nil
		}
		var ask asking
		if !c.changes() {
			ask = asking{p.hidden(), "New API key (it is not shown; nothing keeps the stored one): "}
		}
		if err := p.fillCredential(c.ctx, &record, flags, ask); err != nil {
			return err
		}
		updated, err := f.UpdateCredential(c.ctx, p.commandLine(), versionOr(version, current.Version), record)
		if err != nil {
			return err
		}
		return p.done(c.options, "updated credential "+updated.Name+", key "+keyWords(updated), viewCredential(updated))
	})
	cmd.Long = "Takes create's flags; what is not given stays. On a terminal and without any of them it asks for a new key."
	addWhichProviderFlag(cmd, &flags.provider)
	addCredentialFlags(cmd, &flags)
	addVersionFlag(cmd, &version)
	return cmd
}

// changes reports whether a flag of update says what to change. On a terminal
// update asks for a key where none does: who changes a field only must not be
// asked each time.
func (c *invocation) changes() bool {
	for _, flag := range []string{"username", "field", "sensitive-field", "expires-on"} {
		if c.cmd.Flags().Changed(flag) {
			return true
		}
	}
	return false
}

// fillCredential takes the key, fields and day from the flags into the record.
func (p program) fillCredential(ctx context.Context, record *manage.Credential, flags credentialFlags, ask asking) (err error) {
	if record.Key, err = p.readKey(ctx, flags, ask); err != nil {
		return err
	}
	for _, pair := range flags.fields {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%w: --field takes key=value", errUsage)
		}
		record.Fields = append(record.Fields, store.Field{Key: key, Value: value})
	}
	for _, pair := range flags.sensitiveFields {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%w: --sensitive-field takes key=value", errUsage)
		}
		record.Fields = append(record.Fields, store.Field{Key: key, Sensitive: true, Secret: secret.NewText(value)})
	}
	if flags.expiresOn != "" {
		if record.ExpiresOn, err = time.Parse(time.DateOnly, flags.expiresOn); err != nil {
			return fmt.Errorf("%w: --expires-on takes a day such as 2027-01-31", errUsage)
		}
	}
	return nil
}

const maxKeyInput = 64 << 10

// An asking is whom to ask for a key that no flag tells of, and in which words.
type asking struct {
	prompt   hiddenPrompt // nil: nobody is there
	question string
}

// readKey reads a key from where the flags say, or asks for it. It never comes
// from an argument, which every process of the machine can read.
func (p program) readKey(ctx context.Context, flags credentialFlags, ask asking) (secret.Text, error) {
	var text string
	switch {
	case flags.keyStdin && flags.keyFile+flags.keyVariable != "", flags.keyFile != "" && flags.keyVariable != "":
		return secret.Text{}, fmt.Errorf("%w: take one of --api-key-stdin, --api-key-file and --api-key-env", errUsage)
	case flags.keyStdin:
		read, err := io.ReadAll(io.LimitReader(p.stdin, maxKeyInput))
		if err != nil {
			return secret.Text{}, fmt.Errorf("reading the API key from stdin: %w", err)
		}
		text = string(read)
	case flags.keyFile != "":
		read, err := os.ReadFile(flags.keyFile)
		if err != nil {
			return secret.Text{}, fmt.Errorf("reading the API key: %w", err)
		}
		text = string(read)
	case flags.keyVariable != "":
		value, ok := p.lookupEnv(flags.keyVariable)
		if !ok {
			return secret.Text{}, fmt.Errorf("the environment variable %s is not set", flags.keyVariable)
		}
		text = value
	case ask.prompt == nil:
		return secret.Text{}, nil
	default:
		typed, err := ask.prompt(ctx, ask.question)
		return secret.NewText(strings.TrimSpace(typed)), err // nothing typed is none
	}
	if text = strings.TrimSpace(text); text == "" {
		return secret.Text{}, fmt.Errorf("the API key is empty")
	}
	return secret.NewText(text), nil
}

func (p program) credentialDelete() *cobra.Command {
	var provider string
	cmd := p.officeCommand("delete NAME", "Remove a credential that no scope uses", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		record, err := f.Credential(c.ctx, provider, c.args[0])
		if err != nil {
			return err
		}
		if err := f.DeleteCredential(c.ctx, p.commandLine(), record.Provider, record.Name); err != nil {
			return err
		}
		return p.done(c.options, "deleted credential "+record.Name, deletedView{"credential", record.Name})
	})
	addWhichProviderFlag(cmd, &provider)
	return cmd
}
