import type { CaptionPatterns, ExpressionPatterns, QuestionPatterns } from './pattern-types.ts';

/** Patterns of the plain training language. Repeated entries are more frequent. */
export const PLAIN_CAPTIONS: CaptionPatterns = [
  ['{a}', '{a}', '{a}', 'there {is a} {a}', 'a picture of {a}', 'we see {a}', 'a scene with {a}', 'find {a}'],
  [
    '{a} and {b}',
    '{a} and {b}',
    '{a} and {b}',
    'there {is a} {a} and {b}',
    '{a} with {b}',
    '{a}, {b}',
    'a picture of {a} and {b}',
    'we see {a} and also {b}',
    'in this picture there {is a} {a} and {b}',
    '{a}; {b}',
  ],
  [
    '{a}, {b} and {c}',
    '{a}, {b} and {c}',
    '{a}, {b}, {c}',
    'there {is a} {a}, {b} and {c}',
    '{a} and {b} with {c}',
    'we see {a}, {b} and also {c}',
    'a scene with {a}, {b} and {c}',
  ],
  [
    '{a}, {b}, {c} and {d}',
    '{a}, {b}, {c}, {d}',
    '{a} and {b}, {c} and {d}',
    'there {is a} {a}, {b}, {c} and {d}',
    'in this scene we see {a}, {b}, {c} and {d}',
  ],
];

/** Patterns of a true statement about two objects. */
export const PLAIN_STATEMENTS: readonly string[] = [
  '{a} {r} {b}',
  '{a} that is {r} {b}',
  'there is {a} {r} {b}',
  '{a} is {r} {b}',
];

export const PLAIN_EXPRESSIONS: ExpressionPatterns = {
  plain: ['{the F}', '{the F}', '{the F}', '{F}', 'find {the F}', '{the F} in the picture', 'where is {the F}?'],
  'one-hop': [
    '{the F} {r1} {the U}',
    '{the F} {r1} {the U}',
    '{the F} that is {r1} {the U}',
    '{F} {r1} {the U}',
    'find {the F} {r1} {the U}',
  ],
  'two-hop': ['{the F} {r2} {the G} that is {r1} {the U}', '{the F} that is {r2} {the G} that is {r1} {the U}'],
  and: ['{the F} {r1} {the U} and {r2} {the V}', '{the F} that is {r1} {the U} and {r2} {the V}'],
  same: [
    '{the F} that has the same {same} as {the U}',
    '{the F} of the same {same} as {the U}',
    'the other {F} with the same {same} as {the U}',
  ],
  superlative: ['{the F}', '{the F}', '{F}', 'find {the F}'],
  'superlative front': ['{the F} closest to the camera', '{the F} nearest to us'],
  'superlative behind': ['{the F} farthest from the camera', '{the F} farthest from us'],
  'superlative left': ['{the F} farthest to the left'],
  'superlative right': ['{the F} farthest to the right'],
};

export const PLAIN_QUESTIONS: QuestionPatterns = {
  exist: {
    plain: ['Are there any {F*}?', 'Is there {a F}?', 'Do we see any {F*}?'],
    'one-hop': [
      'Are there any {F*} {r1} {the U}?',
      'Is there {a F} {r1} {the U}?',
      'There is {a U}; are there any {F*} {r1} it?',
      'There is {a U}; is there {a F} {r1} it?',
    ],
    'two-hop': [
      'Are there any {F*} {r2} {the G} that is {r1} {the U}?',
      'Is there {a F} {r2} {the G} {r1} {the U}?',
      'There is {a G} {r1} {the U}; is there {a F} {r2} it?',
    ],
    same: [
      'Are there any other {F*} that have the same {same} as {the U}?',
      'Is there another {F} that has the same {same} as {the U}?',
      'Are there any other {F*} of the same {same} as {the U}?',
    ],
  },
  count: {
    plain: ['How many {F*} are there?', 'What number of {F*} are there?', 'How many {F*} do we see?'],
    'one-hop': [
      'How many {F*} are {r1} {the U}?',
      'What number of {F*} are {r1} {the U}?',
      'There is {a U}; how many {F*} are {r1} it?',
    ],
    'two-hop': [
      'How many {F*} are {r2} {the G} that is {r1} {the U}?',
      'There is {a G} {r1} {the U}; how many {F*} are {r2} it?',
    ],
    and: ['How many {F*} are {r1} {the U} and {r2} {the V}?', 'How many {F*} are both {r1} {the U} and {r2} {the V}?'],
    same: [
      'How many other {F*} have the same {same} as {the U}?',
      'What number of other {F*} are of the same {same} as {the U}?',
    ],
    or: ['How many things are either {F*} or {H*}?', 'What number of objects are {F*} or {H*}?'],
  },
  query: {
    plain: ['What {q} is {the F}?', 'What is the {q} of {the F}?', 'There is {a F}; what is its {q}?'],
    'one-hop': [
      'What {q} is {the F} {r1} {the U}?',
      'What is the {q} of {the F} {r1} {the U}?',
      'What {q} is {the F} that is {r1} {the U}?',
      'There is {a F} {r1} {the U}; what is its {q}?',
      'There is {a F} {r1} {the U}; what {q} is it?',
    ],
    'two-hop': [
      'What {q} is {the F} {r2} {the G} that is {r1} {the U}?',
      'There is {a F} {r2} {the G} {r1} {the U}; what is its {q}?',
    ],
    and: [
      'What {q} is {the F} {r1} {the U} and {r2} {the V}?',
      'What is the {q} of {the F} that is both {r1} {the U} and {r2} {the V}?',
    ],
    same: [
      'What is the {q} of the other {F} that has the same {same} as {the U}?',
      'What {q} is the other {F} of the same {same} as {the U}?',
    ],
  },
  size: ['How big is {the F}?', 'How large is {the F}?'],
  material: ['What is {the F} made of?'],
  equal_integer: [
    'Are there an equal number of {A*} and {B*}?',
    'Is the number of {A*} the same as the number of {B*}?',
    'Are there as many {A*} as {B*}?',
  ],
  less_than: ['Are there fewer {A*} than {B*}?', 'Is the number of {A*} less than the number of {B*}?'],
  greater_than: ['Are there more {A*} than {B*}?', 'Is the number of {A*} greater than the number of {B*}?'],
  equal: [
    'Do {the A} and {the B} have the same {q}?',
    'Does {the A} have the same {q} as {the B}?',
    'Is {the A} the same {q} as {the B}?',
    'Is the {q} of {the A} the same as that of {the B}?',
  ],
};
