/**
 * Number of tokens that boxes can refer to: the first 255 of a caption (arXiv:2104.12763, section 2.2.1: soft token
 * prediction). The text encoder reads later tokens, but no box can refer to them.
 */
export const SOFT_TOKENS = 255;

/** Width of the class logits and of a positive map: the soft tokens, then "no object". */
export const SOFT_TOKEN_CLASSES = SOFT_TOKENS + 1;
