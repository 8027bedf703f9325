package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bucketgate/tools"
)

func (p program) callCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:     "call TOOL [key=value]...",
		Short:   "Call one tool and print its answer",
		Long:    "Calls one tool as an agent would and prints its answer as JSON. Exits 1 when the tool answers with an error.\nThe scope is the stored one that --scope names, or the one that there is, or comes from the environment: see bucketgate stdio --help.",
		Example: "  bucketgate call get_repo repository=duplocloud\n  bucketgate call list_repos detail=names limit=500",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			pairs, err := readPairs(args[1:])
			if err != nil {
				return err
			}
			o.oneCall = true
			s, err := p.openStation(cmd.Context(), o)
			if err != nil {
				return err
			}
			result := s.toolbox.Run(cmd.Context(), tools.Request{
				Caller: s.caller("command line"), Tool: args[0], Arguments: s.toolbox.FromText(args[0], pairs),
			})
			return errors.Join(p.printResult(result), s.close())
		},
	}
	addCallFlags(cmd, &o)
	return cmd
}

func (p program) printResult(result tools.Result) error {
	if _, err := fmt.Fprintf(p.stdout, "%s\n", result.Text); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	if result.IsError() {
		return errAnswered
	}
	return nil
}

// readPairs splits key=value.
func readPairs(arguments []string) ([][2]string, error) {
	pairs := make([][2]string, len(arguments))
	for i, argument := range arguments {
		key, value, ok := strings.Cut(argument, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%w: %q is not key=value", errUsage, argument)
		}
		pairs[i] = [2]string{key, value}
	}
	return pairs, nil
}
