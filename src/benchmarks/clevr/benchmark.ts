import { ClevrEvaluator } from '../../metrics/clevr.ts';
import { PREDICTION_FORMATS } from '../../metrics/predictions.ts';
import { annotationBenchmark } from '../annotation-benchmark.ts';
import { answerEvaluation, requireAnswer } from '../question-answers.ts';
import { clevrDetails, clevrKeyOf, clevrQuestionOf } from './questions.ts';

/** Accuracy of answers on CLEVR, by kind of answer and family of question. Official counterpart: `ClevrEvaluator`. */
export const clevrBenchmark = annotationBenchmark({
  name: 'clevr',
  description: 'answers on CLEVR, CLEVR-CoGenT and CLEVR-Humans: accuracy, by kind of answer and of question',
  annotations: "CLEVR's question file, or an annotation file in the official format",
  readsQuestionFiles: true,
  groundTruth: {
    description: 'its question file',
    fullDescription: "CLEVR's question file",
    isRequired: false,
  },
  options: {},
  predictions: PREDICTION_FORMATS.clevr,
  submission: 'one answer on each line, in the order of the questions',
  metrics: [
    { id: 'accuracy', title: 'accuracy', description: 'fraction of correct answers' },
    { id: 'answer/*', title: 'answer/*', description: 'the same for one kind of answer (binary, attr, reg)' },
    { id: 'question/*', title: 'question/*', description: 'the same for one family of questions (exist, count, …)' },
    { id: 'function/*', title: 'function/*', description: "the same for one last function of the question's program" },
    {
      id: 'type_accuracy',
      title: 'type_accuracy',
      description: 'fraction of questions whose kind of answer is predicted correctly',
    },
  ],
  bestMetric: () => 'accuracy',
  validation: { datasets: ['clevr', 'clevr_question'], answers: 'clevr' },
  checkRow(row, { allowsMissingAnswers }) {
    if (!allowsMissingAnswers) requireAnswer(row);
  },
  open(rows, { groundTruth, allowsMissingAnswers }) {
    const details =
      groundTruth === undefined ? undefined : clevrDetails(groundTruth, new Set(Array.from(rows, clevrKeyOf)));
    return answerEvaluation(rows, {
      title: 'clevr',
      allowsMissingAnswers,
      questionOf: (row) => clevrQuestionOf(row, details),
      evaluatorOf: (questions) => new ClevrEvaluator(questions),
    });
  },
});
