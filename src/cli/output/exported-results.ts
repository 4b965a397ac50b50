import { exportResults, type ExportReport, type ExportResultsOptions } from '../../datasets/export/export-results.ts';
import { note } from './print.ts';

/** Writes results as `exportResults` does, and prints what the format cannot hold. */
export const exportWithNotes = async (
  results: Parameters<typeof exportResults>[0],
  options: ExportResultsOptions,
): Promise<ExportReport> => {
  const report = await exportResults(results, options);
  for (const { what, count, examples } of report.dropped)
    note(`${options.format}: left out ${what} (${count}, for instance of ${examples[0]!})`);
  return report;
};
