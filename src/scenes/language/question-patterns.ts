import type { Attribute } from '../render/attributes.ts';
import type { Wording } from '../render/splits.ts';

type Patterns = Readonly<Record<Wording, readonly string[]>>;
/** Patterns by structure. F is the queried object; U, V and G locate it; r1 and r2 are relations (see references.ts). */
type ByStructure = Readonly<Record<'plain' | 'one-hop' | 'two-hop' | 'and' | 'same', Patterns>>;

export const EXIST_PATTERNS: Omit<ByStructure, 'and'> = {
  plain: {
    training: ['Are there any {F*}?', 'Is there {a F}?', 'Do we see any {F*}?'],
    paraphrase: ['In the picture, is there {a F}?', 'Do we see {a F} in this scene?', 'Any {F*} in the picture?'],
  },
  'one-hop': {
    training: [
      'Are there any {F*} {r1} {the U}?',
      'Is there {a F} {r1} {the U}?',
      'There is {a U}; are there any {F*} {r1} it?',
      'There is {a U}; is there {a F} {r1} it?',
    ],
    paraphrase: [
      'Do we see any {F*} {r1} {the U}?',
      'Is {a F} {r1} {the U}?',
      'There is {a U}; do we see {a F} {r1} it?',
    ],
  },
  'two-hop': {
    training: [
      'Are there any {F*} {r2} {the G} that is {r1} {the U}?',
      'Is there {a F} {r2} {the G} {r1} {the U}?',
      'There is {a G} {r1} {the U}; is there {a F} {r2} it?',
    ],
    paraphrase: [
      'Do we see any {F*} {r2} {the G} that is {r1} {the U}?',
      'There is {a G} {r1} {the U}; do we see any {F*} {r2} it?',
    ],
  },
  same: {
    training: [
      'Are there any other {F*} that have the same {same} as {the U}?',
      'Is there another {F} that has the same {same} as {the U}?',
      'Are there any other {F*} of the same {same} as {the U}?',
    ],
    paraphrase: [
      'There is {a U}; is there another {F} of the same {same}?',
      'Does any other {F} have the same {same} as {the U}?',
    ],
  },
};

export const COUNT_PATTERNS: ByStructure & { readonly or: Patterns } = {
  plain: {
    training: ['How many {F*} are there?', 'What number of {F*} are there?', 'How many {F*} do we see?'],
    paraphrase: ['What is the number of {F*}?', 'In this picture there are how many {F*}?'],
  },
  'one-hop': {
    training: [
      'How many {F*} are {r1} {the U}?',
      'What number of {F*} are {r1} {the U}?',
      'There is {a U}; how many {F*} are {r1} it?',
    ],
    paraphrase: [
      'What is the number of {F*} {r1} {the U}?',
      'How many {F*} do we see {r1} {the U}?',
      'There is {a U}; what number of {F*} do we see {r1} it?',
    ],
  },
  'two-hop': {
    training: [
      'How many {F*} are {r2} {the G} that is {r1} {the U}?',
      'There is {a G} {r1} {the U}; how many {F*} are {r2} it?',
    ],
    paraphrase: ['What is the number of {F*} {r2} {the G} that is {r1} {the U}?'],
  },
  and: {
    training: [
      'How many {F*} are {r1} {the U} and {r2} {the V}?',
      'How many {F*} are both {r1} {the U} and {r2} {the V}?',
    ],
    paraphrase: ['What number of {F*} do we see {r1} {the U} and {r2} {the V}?'],
  },
  same: {
    training: [
      'How many other {F*} have the same {same} as {the U}?',
      'What number of other {F*} are of the same {same} as {the U}?',
    ],
    paraphrase: ['There is {a U}; how many other {F*} are of the same {same}?'],
  },
  or: {
    training: ['How many things are either {F*} or {H*}?', 'What number of objects are {F*} or {H*}?'],
    paraphrase: ['What is the number of things that are {F*} or {H*}?', 'How many {F*} or {H*} are there?'],
  },
};

/** Patterns that query an attribute; `q` is its name. */
export const QUERY_PATTERNS: ByStructure = {
  plain: {
    training: ['What {q} is {the F}?', 'What is the {q} of {the F}?', 'There is {a F}; what is its {q}?'],
    paraphrase: ['{the F} is of what {q}?', 'In the picture, what {q} is {the F}?'],
  },
  'one-hop': {
    training: [
      'What {q} is {the F} {r1} {the U}?',
      'What is the {q} of {the F} {r1} {the U}?',
      'What {q} is {the F} that is {r1} {the U}?',
      'There is {a F} {r1} {the U}; what is its {q}?',
      'There is {a F} {r1} {the U}; what {q} is it?',
    ],
    paraphrase: [
      'There is {a U}; what {q} is {the F} {r1} it?',
      'What is the {q} of {the F} with {the U} {o1} it?',
      '{the F} {r1} {the U} is of what {q}?',
    ],
  },
  'two-hop': {
    training: [
      'What {q} is {the F} {r2} {the G} that is {r1} {the U}?',
      'There is {a F} {r2} {the G} {r1} {the U}; what is its {q}?',
    ],
    paraphrase: ['There is {a G} {r1} {the U}; what {q} is {the F} {r2} it?'],
  },
  and: {
    training: [
      'What {q} is {the F} {r1} {the U} and {r2} {the V}?',
      'What is the {q} of {the F} that is both {r1} {the U} and {r2} {the V}?',
    ],
    paraphrase: ['There is {a F} both {r1} {the U} and {r2} {the V}; what {q} is it?'],
  },
  same: {
    training: [
      'What is the {q} of the other {F} that has the same {same} as {the U}?',
      'What {q} is the other {F} of the same {same} as {the U}?',
    ],
    paraphrase: ['There is another {F} with the same {same} as {the U}; what {q} is it?'],
  },
};

/** Additional patterns for single attributes of F, besides `QUERY_PATTERNS.plain`. */
export const SPECIAL_QUERY_PATTERNS: Readonly<Partial<Record<Attribute, Patterns>>> = {
  size: { training: ['How big is {the F}?', 'How large is {the F}?'], paraphrase: ['{the F} is how big?'] },
  material: { training: ['What is {the F} made of?'], paraphrase: ['{the F} is made of what?'] },
};

/** Patterns that compare the counts of the groups A and B. */
export const COMPARE_PATTERNS: Readonly<Record<'equal_integer' | 'less_than' | 'greater_than', Patterns>> = {
  equal_integer: {
    training: [
      'Are there an equal number of {A*} and {B*}?',
      'Is the number of {A*} the same as the number of {B*}?',
      'Are there as many {A*} as {B*}?',
    ],
    paraphrase: ['Is the number of {A*} and {B*} the same?', 'Do we see as many {A*} as {B*}?'],
  },
  less_than: {
    training: ['Are there fewer {A*} than {B*}?', 'Is the number of {A*} less than the number of {B*}?'],
    paraphrase: ['Do we see fewer {A*} than {B*}?', 'Is the number of {A*} less than that of {B*}?'],
  },
  greater_than: {
    training: ['Are there more {A*} than {B*}?', 'Is the number of {A*} greater than the number of {B*}?'],
    paraphrase: ['Do we see more {A*} than {B*}?', 'Is the number of {A*} greater than that of {B*}?'],
  },
};

/** Patterns that compare an attribute of the objects A and B; `q` is its name. */
export const EQUAL_PATTERNS: Patterns = {
  training: [
    'Do {the A} and {the B} have the same {q}?',
    'Does {the A} have the same {q} as {the B}?',
    'Is {the A} the same {q} as {the B}?',
    'Is the {q} of {the A} the same as that of {the B}?',
  ],
  paraphrase: ['Are {the A} and {the B} of the same {q}?', 'Is {the A} of the same {q} as {the B}?'],
};
