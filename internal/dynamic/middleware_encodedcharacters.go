package dynamic

import "github.com/fairlead/fairlead/internal/model"

type encodedCharacters struct {
	Slash        bool `doc:"allowEncodedSlash"`
	BackSlash    bool `doc:"allowEncodedBackSlash"`
	Null         bool `doc:"allowEncodedNullCharacter"`
	Semicolon    bool `doc:"allowEncodedSemicolon"`
	Percent      bool `doc:"allowEncodedPercent"`
	QuestionMark bool `doc:"allowEncodedQuestionMark"`
	Hash         bool `doc:"allowEncodedHash"`
}

func (*encodedCharacters) gaps() []gap { return nil }

func (e *encodedCharacters) build(_ place, m *model.Middleware) {
	allowed := model.EncodedCharacters(*e)
	m.EncodedCharacters = &allowed
}
