/** Score that a detection must exceed unless the caller says otherwise, as in the official demonstration. */
export const DEFAULT_THRESHOLD = 0.7;

/** Minimum probability of a span unless the caller says otherwise. */
export const DEFAULT_SPAN_THRESHOLD = 0.1;
