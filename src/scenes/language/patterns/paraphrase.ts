import type { CaptionPatterns, ExpressionPatterns, QuestionPatterns } from './pattern-types.ts';

/** Patterns of the held-out split `paraphrase`. Repeated entries are more frequent. */
export const PARAPHRASE_CAPTIONS: CaptionPatterns = [
  ['in the picture we see {a}', '{a} {is a} there', 'what we see {is a} {a}', 'there {is a} also {a} in this scene'],
  [
    'in the scene there {is a} {a}, and there {is b} {b}',
    'with {a} there {is b} also {b}',
    '{a} {is a} in the picture, and {b}',
    'we see {a}; there {is b} also {b}',
    'also {a}, and {b}',
  ],
  [
    'there {is a} {a}; there {is b} {b}; there {is c} {c}',
    'in the picture {a}, also {b}, also {c}',
    'with {a} and {b} we see {c}',
    '{a} and {b} and also {c}',
  ],
  [
    '{a} with {b}, and {c} with {d}',
    'we see {a} and {b}; there {is c} also {c} and {d}',
    'in this picture, {a} and {b} and {c} and {d}',
  ],
];

/** Patterns of a true statement about two objects. */
export const PARAPHRASE_STATEMENTS: readonly string[] = [
  '{r} {b} there is {a}',
  '{r} {b} we see {a}',
  'there is {b}, and {r} it {a}',
];

export const PARAPHRASE_EXPRESSIONS: ExpressionPatterns = {
  plain: ['in the picture, {the F}', 'find in this picture {the F}', 'where do we see {the F}?', 'also {the F}'],
  'one-hop': [
    '{r1} {the U}, {the F}',
    '{the F} with {the U} {o1} it',
    'there is {the U}; find {the F} {r1} it',
    'find {the F} that is {r1} {the U}',
  ],
  'two-hop': ['there is {the G} {r1} {the U}; find {the F} {r2} it', '{r2} {the G} that is {r1} {the U}, {the F}'],
  and: ['{the F} that is both {r1} {the U} and {r2} {the V}', '{r1} {the U} and {r2} {the V}, {the F}'],
  same: ['find {the F} of the same {same} as {the U}', 'with the same {same} as {the U}, {the F}'],
  superlative: ['in the picture, {the F}', 'where do we see {the F}?'],
  'superlative front': ['closest to us, {the F}', '{the F} that is nearest to the camera'],
  'superlative behind': ['farthest from us, {the F}', '{the F} that is farthest from the camera'],
  'superlative left': ['{the F} that is leftmost', 'farthest to the left, {the F}'],
  'superlative right': ['{the F} that is rightmost', 'farthest to the right, {the F}'],
};

export const PARAPHRASE_QUESTIONS: QuestionPatterns = {
  exist: {
    plain: ['In the picture, is there {a F}?', 'Do we see {a F} in this scene?', 'Any {F*} in the picture?'],
    'one-hop': [
      'Do we see any {F*} {r1} {the U}?',
      'Is {a F} {r1} {the U}?',
      'There is {a U}; do we see {a F} {r1} it?',
    ],
    'two-hop': [
      'Do we see any {F*} {r2} {the G} that is {r1} {the U}?',
      'There is {a G} {r1} {the U}; do we see any {F*} {r2} it?',
    ],
    same: [
      'There is {a U}; is there another {F} of the same {same}?',
      'Does any other {F} have the same {same} as {the U}?',
    ],
  },
  count: {
    plain: ['What is the number of {F*}?', 'In this picture there are how many {F*}?'],
    'one-hop': [
      'What is the number of {F*} {r1} {the U}?',
      'How many {F*} do we see {r1} {the U}?',
      'There is {a U}; what number of {F*} do we see {r1} it?',
    ],
    'two-hop': ['What is the number of {F*} {r2} {the G} that is {r1} {the U}?'],
    and: ['What number of {F*} do we see {r1} {the U} and {r2} {the V}?'],
    same: ['There is {a U}; how many other {F*} are of the same {same}?'],
    or: ['What is the number of things that are {F*} or {H*}?', 'How many {F*} or {H*} are there?'],
  },
  query: {
    plain: ['{the F} is of what {q}?', 'In the picture, what {q} is {the F}?'],
    'one-hop': [
      'There is {a U}; what {q} is {the F} {r1} it?',
      'What is the {q} of {the F} with {the U} {o1} it?',
      '{the F} {r1} {the U} is of what {q}?',
    ],
    'two-hop': ['There is {a G} {r1} {the U}; what {q} is {the F} {r2} it?'],
    and: ['There is {a F} both {r1} {the U} and {r2} {the V}; what {q} is it?'],
    same: ['There is another {F} with the same {same} as {the U}; what {q} is it?'],
  },
  size: ['{the F} is how big?'],
  material: ['{the F} is made of what?'],
  equal_integer: ['Is the number of {A*} and {B*} the same?', 'Do we see as many {A*} as {B*}?'],
  less_than: ['Do we see fewer {A*} than {B*}?', 'Is the number of {A*} less than that of {B*}?'],
  greater_than: ['Do we see more {A*} than {B*}?', 'Is the number of {A*} greater than that of {B*}?'],
  equal: ['Are {the A} and {the B} of the same {q}?', 'Is {the A} of the same {q} as {the B}?'],
};
