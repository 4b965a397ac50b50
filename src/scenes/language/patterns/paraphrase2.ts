import type { CaptionPatterns, ExpressionPatterns, QuestionPatterns } from './pattern-types.ts';

/**
 * Patterns of the split `paraphrase2`, frozen: they were written before the wide training language and are never trained on
 * or chosen by. Their words all occur in the wide language, so that the split measures sentences, not vocabulary.
 */

/** Caption patterns by number of phrases minus one. */
export const PARAPHRASE2_CAPTIONS: CaptionPatterns = [
  [
    'you can see {a} here',
    'the image shows {a}',
    'visible here: {a}',
    'among the objects {is a} {a}',
    'if you look, you will notice {a}',
  ],
  [
    'the image shows {a} as well as {b}',
    'not only {a} but also {b}',
    'besides {a} there {is b} {b}',
    'you can see {a} together with {b} here',
    '{a} plus {b}',
  ],
  ['the image shows {a}, then {b}, then {c}', 'first {a}, second {b}, third {c}', 'besides {a} and {b}, notice {c}'],
  [
    'the image shows {a} and {b}, as well as {c} and {d}',
    'first {a} and {b}, then {c} and {d}',
    'besides {a}, {b} and {c}, notice {d}',
  ],
];

/** Patterns of a true statement about two objects. */
export const PARAPHRASE2_STATEMENTS: readonly string[] = [
  'you can see {a} {r} {b}',
  'look {r} {b}: {a}',
  '{b} has {a} {r} it',
  'seen {r} {b} is {a}',
];

export const PARAPHRASE2_EXPRESSIONS: ExpressionPatterns = {
  plain: [
    'I mean {the F}',
    'which one is {the F}?',
    'can you point to {the F}?',
    '{the F}, if you see it',
    'the one I want is {the F}',
  ],
  'one-hop': [
    'I mean {the F}, the one {r1} {the U}',
    'look {r1} {the U} and take {the F}',
    '{the F} located {r1} {the U}',
    'starting at {the U}, {the F} {r1} it',
    'which {F} is {r1} {the U}?',
  ],
  'two-hop': [
    'look {r1} {the U} for {the G}, then {r2} it for {the F}',
    '{the F} located {r2} {the G} which is itself {r1} {the U}',
  ],
  and: ['{the F} located {r1} {the U} as well as {r2} {the V}', 'which {F} is {r1} {the U} and also {r2} {the V}?'],
  same: [
    '{the F} whose {same} equals that of {the U}',
    'look at {the U}: {the F} shares its {same}',
    '{the F} matching {the U} in {same}',
  ],
  superlative: ['I mean {the F}', 'which one is {the F}?', 'can you point to {the F}?'],
  'superlative front': ['which {F} is nearest to the camera?', '{the F} at the very front'],
  'superlative behind': ['which {F} is farthest from us?', '{the F} at the very back'],
  'superlative left': ['which {F} is farthest to the left?', '{the F} at the very left'],
  'superlative right': ['which {F} is farthest to the right?', '{the F} at the very right'],
};

export const PARAPHRASE2_QUESTIONS: QuestionPatterns = {
  exist: {
    plain: [
      'Can you find any {F*}?',
      'Could there be {a F} here?',
      'Is {a F} among the objects?',
      'Does the image show {a F}?',
    ],
    'one-hop': [
      'Can you find any {F*} {r1} {the U}?',
      'Looking {r1} {the U}, is there {a F}?',
      'Does {the U} have {a F} {r1} it?',
    ],
    'two-hop': [
      'Can you find any {F*} {r2} {the G} located {r1} {the U}?',
      'Looking {r2} {the G} that is {r1} {the U}, is there {a F}?',
    ],
    same: [
      'Can you find another {F} whose {same} equals that of {the U}?',
      'Does {the U} share its {same} with another {F}?',
    ],
  },
  count: {
    plain: ['Tell me the number of {F*}.', 'The number of {F*} is what?', 'Counting {F*}, what do you get?'],
    'one-hop': [
      'Tell me the number of {F*} {r1} {the U}.',
      'Counting {F*} {r1} {the U}, what do you get?',
      'Looking {r1} {the U}, how many {F*} are there?',
    ],
    'two-hop': ['Tell me the number of {F*} {r2} {the G} located {r1} {the U}.'],
    and: [
      'Tell me the number of {F*} located {r1} {the U} as well as {r2} {the V}.',
      'Counting {F*} {r1} {the U} and also {r2} {the V}, what do you get?',
    ],
    same: [
      'How many other {F*} share their {same} with {the U}?',
      'Tell me the number of other {F*} whose {same} equals that of {the U}.',
    ],
    or: ['How many objects are {F*}, {H*}, or both?', 'Tell me the number of objects that are {F*} or else {H*}.'],
  },
  query: {
    plain: ['Tell me the {q} of {the F}.', 'Which {q} does {the F} have?', '{the F}: which {q}?'],
    'one-hop': [
      'Tell me the {q} of {the F} {r1} {the U}.',
      'Looking {r1} {the U}, which {q} does {the F} have?',
      'Which {q} does {the F} located {r1} {the U} have?',
    ],
    'two-hop': [
      'Tell me the {q} of {the F} {r2} {the G} located {r1} {the U}.',
      'Looking {r1} {the U} there is {a G}; which {q} does {the F} {r2} it have?',
    ],
    and: ['Tell me the {q} of {the F} located {r1} {the U} as well as {r2} {the V}.'],
    same: [
      'Which {q} does the other {F} have whose {same} equals that of {the U}?',
      'There is another {F} sharing its {same} with {the U}; which {q} does it have?',
    ],
  },
  size: ['Is {the F} a large or a small one?'],
  material: ['Which stuff is {the F} made from?'],
  equal_integer: ['Do {A*} and {B*} come in equal numbers?', 'Does the number of {A*} equal that of {B*}?'],
  less_than: ['Are {A*} outnumbered by {B*}?', 'Are there not as many {A*} as {B*}?'],
  greater_than: ['Do {A*} outnumber {B*}?', 'Is there a larger number of {A*} than of {B*}?'],
  equal: [
    'Does the {q} of {the A} equal that of {the B}?',
    'Do {the A} and {the B} match in {q}?',
    'Does {the A} share its {q} with {the B}?',
  ],
};
