/** Label Studio whose uploaded images are fetched. */
export interface LabelStudio {
  /** Its address: `http://localhost:8081`. */
  readonly url: string;
  /** Access token of a user, from its account settings. */
  readonly token?: string | undefined;
}
