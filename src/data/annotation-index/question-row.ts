/**
 * Converts a question of CLEVR's own files (`CLEVR_val_questions.json`, CLEVR-Humans) to an image of the annotation format.
 * The files do not state the size of images. Other fields (`answer`, `question_index`, `program` …) are kept.
 */
export const imageOfQuestion = (question: object, id: number): Record<string, unknown> => {
  const { image_filename, question: caption, ...rest } = question as Record<string, unknown>;
  return { ...rest, id, file_name: image_filename, caption, width: 0, height: 0 };
};

/** Name in a question file of a field of such an image. */
export const questionField = (field: string): string =>
  ({ file_name: 'image_filename', caption: 'question' })[field] ?? field;
