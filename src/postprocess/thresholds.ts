/** Default score that a detection must exceed, as in the official demonstration. */
export const DEFAULT_THRESHOLD = 0.7;

/** Default minimum probability of a span. */
export const DEFAULT_SPAN_THRESHOLD = 0.1;
