package handlers

import (
	"fmt"
	"slices"
	"strings"

	"kurir/models"
	"kurir/problem"
)

// mediaSettings are an instance's as callers see and set them.
type mediaSettings struct {
	Auto  *bool    `json:"auto"`
	Types []string `json:"types"`
	MaxMB int64    `json:"max_mb"`
}

func viewMediaSettings(in models.Instance) mediaSettings {
	m := in.MediaWanted()
	v := mediaSettings{Auto: &m.Auto, Types: m.Types, MaxMB: m.MaxMB}
	if v.Types == nil {
		v.Types = []string{}
	}
	return v
}

func (m mediaSettings) settings(most int64) (models.MediaSettings, error) {
	out := models.MediaSettings{Set: true, Auto: m.Auto == nil || *m.Auto, MaxMB: m.MaxMB}
	for _, t := range m.Types {
		if !slices.Contains(models.MediaTypes(), t) {
			return out, problem.New(problem.MediaInvalid, fmt.Sprintf("`types` may have %s, and not %.40q", strings.Join(models.MediaTypes(), ", "), t))
		}
	}
	out.Types = slices.Compact(slices.Sorted(slices.Values(m.Types)))
	if m.MaxMB < 0 || m.MaxMB > most/1_000_000 {
		return out, problem.New(problem.MediaInvalid, fmt.Sprintf("`max_mb` must be from 0 (as the gateway allows) to %d", most/1_000_000))
	}
	return out, nil
}

// getMedia is GET /v1/instances/{id}/media: which files the instance fetches.
func (s *server) getMedia(c *call) (reply, error) {
	in, err := s.Instances.Get(c.ctx(), c.instanceID())
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: in.ID, data: viewMediaSettings(in)}, nil
}

// putMedia is PUT /v1/instances/{id}/media {"auto", "types", "max_mb"}: which files it fetches from now on. What is left
// out is as with a new instance: everything, as large as the gateway allows, when it comes.
func (s *server) putMedia(c *call) (reply, error) {
	id := c.instanceID()
	var body mediaSettings
	if err := c.json(&body); err != nil {
		return reply{}, err
	}
	m, err := body.settings(s.MaxMediaBytes)
	if err != nil {
		return reply{}, err
	}
	if err := s.Media.SetMedia(c.ctx(), id, m); err != nil {
		return reply{}, err
	}
	return s.getMedia(c)
}
