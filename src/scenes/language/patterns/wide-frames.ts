/** Words before and after texts of the wide language, by kind; `[x|y]` as in `WIDE_CAPTIONS`. */
export const WIDE_FRAMES: Readonly<
  Record<
    'caption' | 'expression' | 'question',
    { readonly before: readonly string[]; readonly after: readonly string[] }
  >
> = {
  caption: {
    before: ['[ok|well|so|now],', 'hi!', 'caption:'],
    after: ['!', '. [thanks|thank you].', ', [that is all|nothing else|if I am right]'],
  },
  expression: {
    before: ['[please|kindly],', '[ok|now|next|then],', '[hey|hi|hello],', 'let us see:'],
    after: [', please', ' please', ', [thanks|thank you]', ', I mean it', '!', '.'],
  },
  question: {
    before: ['[so|ok|well|now],', 'quick question:', '[please tell me|can you tell me|I wonder],'],
    after: [' [Please.|Thanks!|Thank you.]'],
  },
};
