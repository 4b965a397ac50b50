/** Default score that a detection must exceed, as in the official demonstration. */
export const DEFAULT_THRESHOLD = 0.7;

/** Default minimum probability of a span. */
export const DEFAULT_SPAN_THRESHOLD = 0.1;

/** Score that detections exceed: as given, else the model's calibrated value, else the default. */
export const thresholdOf = (
  given: number | undefined,
  calibration: { readonly threshold: number } | undefined,
): number => given ?? calibration?.threshold ?? DEFAULT_THRESHOLD;
