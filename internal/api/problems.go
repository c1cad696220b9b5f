package api

import (
	"net/http"
)

func (s *server) problems(w http.ResponseWriter, r *http.Request) error {
	v := view{self: s.Cluster}
	var problems []Problem
	for _, p := range s.everythingWrong() {
		problems = append(problems, Problem{
			Kind: p.Object.Kind, Name: p.Object.Name.String(), Source: string(p.Object.Source),
			Lane:    string(p.Object.Lane),
			Cluster: v.home(p.Object.Source), Field: p.Field, Code: string(p.Code), Message: p.Message, At: p.At,
			Since: p.Since, Reporter: p.by,
		})
	}
	return answerList(w, r, problems, func(p Problem) ([]string, string) {
		return []string{p.Name, p.Name + "@" + p.Source, p.Source}, p.Cluster
	})
}
