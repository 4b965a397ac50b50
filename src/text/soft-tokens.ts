/**
 * Number of tokens that the soft-token head can tie a box to: the first 255 of a caption. Later tokens are read by the
 * text encoder, but no box can refer to them (spec section 6).
 */
export const SOFT_TOKENS = 255;

/** Width of the class logits and of a positive map: the soft tokens, then "no object". */
export const SOFT_TOKEN_CLASSES = SOFT_TOKENS + 1;
