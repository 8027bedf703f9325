package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bucketgate/internal/manage"
)

// asking returns the office's service with a client that asks Bitbucket with
// the stored credentials. A provider's own address was named on purpose, and
// may be a private one.
func (f *office) asking(context.Context) (*manage.Service, error) {
	return manage.New(manage.Config{Store: f.store, Audit: f.audit, Client: f.client()}), nil
}

// A credentialTestView is a test as it is printed.
type credentialTestView struct {
	Summary   string   `json:"summary"`
	Works     bool     `json:"works"`
	Provider  string   `json:"provider"`
	Name      string   `json:"name"`
	Who       string   `json:"who"`
	Workspace string   `json:"workspace"`
	Missing   []string `json:"missing"`
	Beyond    []string `json:"beyond"`
	Unknown   int      `json:"unknown,omitempty"`
}

func (p program) credentialTestCommand() *cobra.Command {
	var provider string
	cmd := p.officeCommand("test NAME", "Ask Bitbucket what a credential is good for", cobra.ExactArgs(1), func(f *office, c *invocation) error {
		ctx, cancel := context.WithTimeout(c.ctx, checkTime)
		defer cancel()
		service, err := f.asking(ctx)
		if err != nil {
			return err
		}
		test, err := service.TestCredential(ctx, p.commandLine(), provider, c.args[0])
		if err != nil {
			return err
		}
		if err := p.printCredentialTest(c.options, test); err != nil {
			return err
		}
		if !test.Works {
			return errAnswered
		}
		return nil
	})
	cmd.Long = "Tells whom the credential belongs to, whether the workspace can be reached, which permissions are missing,\nand which it has beyond what the tools need. Exits 0 when it works for reading, 1 when not."
	addWhichProviderFlag(cmd, &provider)
	return cmd
}

func (p program) printCredentialTest(o options, test manage.CredentialTest) error {
	if o.output == "json" {
		return p.printJSON(credentialTestView{
			Summary: test.Summary(), Works: test.Works, Provider: test.Provider, Name: test.Name, Who: test.Who,
			Workspace: test.Workspace, Missing: texts(test.Missing), Beyond: texts(test.Beyond), Unknown: test.Unknown,
		})
	}
	lines := [][2]string{{"who am I", test.Who}, {"workspace", test.Workspace}, {"missing", permissionWords(test.Missing, 0, test.Told)}, {"beyond need", permissionWords(test.Beyond, test.Unknown, test.Told)}}
	for _, line := range lines {
		if _, err := fmt.Fprintf(p.stdout, "%-13s %s\n", line[0], line[1]); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(p.stdout, test.Summary())
	return err
}

func permissionWords(names []string, more int, told bool) string {
	switch {
	case len(names) == 0 && more == 0 && !told:
		return "unknown: Bitbucket did not say which permissions the key has"
	case len(names) == 0 && more == 0:
		return "nothing"
	case more == 0:
		return strings.Join(names, ", ")
	}
	return strings.Join(append(names[:len(names):len(names)], fmt.Sprintf("%d that this release does not know", more)), ", ")
}
