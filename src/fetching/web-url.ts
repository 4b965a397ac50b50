/** Whether a text is an `http` or `https` URL. */
export const isWebUrl = (text: string): boolean => /^https?:\/\//i.test(text);
