package bitbucket

import (
	"context"
	"encoding/json"

	"bucketgate/policy"
)

// User returns the display name of the account behind a credential. Access
// tokens have none, and an API token needs a permission of its own for it
// (read:user:bitbucket): both answer ErrCredentialRejected here and may work
// for all else.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-users/#api-user-get
func (c *Client) User(ctx context.Context, workspace policy.Unjudged) (string, error) {
	e, err := at(routeUser, workspace)
	if err != nil {
		return "", err
	}
	body, err := c.fetch(ctx, e, "fields=display_name")
	if err != nil {
		return "", err
	}
	return readUser(body)
}

func readUser(body []byte) (string, error) {
	var user struct {
		DisplayName string `json:"display_name"`
	}
	if json.Unmarshal(body, &user) != nil {
		return "", unavailable("it answered something that is no user")
	}
	return cleanText(user.DisplayName, maxName), nil
}
