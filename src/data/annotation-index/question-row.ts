/**
 * A question of CLEVR's own files (`CLEVR_val_questions.json`, CLEVR-Humans) as an image of the annotation format. They
 * do not tell how large the pictures are. All else (`answer`, `question_index`, `program` …) is handed on.
 */
export const imageOfQuestion = (question: object, id: number): Record<string, unknown> => {
  const { image_filename, question: caption, ...rest } = question as Record<string, unknown>;
  return { ...rest, id, file_name: image_filename, caption, width: 0, height: 0 };
};

/** How a question's file calls a field of such an image. */
export const questionField = (field: string): string =>
  ({ file_name: 'image_filename', caption: 'question' })[field] ?? field;
