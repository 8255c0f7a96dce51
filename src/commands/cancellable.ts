/** Work that takes a while, in a notification. */
import { CancellationError, type CancellationToken, ProgressLocation, window } from 'vscode';

export type ReportStep = (step: { increment: number; message: string }) => void;

/** Shows progress that the user may cancel; undefined where that happened. */
export async function cancellable<T>(
  title: string,
  take: (token: CancellationToken, report: ReportStep) => Promise<T>,
): Promise<T | undefined> {
  const options = { location: ProgressLocation.Notification, title, cancellable: true };
  return window.withProgress(options, async (progress, token) => {
    try {
      return await take(token, (step) => progress.report(step));
    } catch (error) {
      if (error instanceof CancellationError || token.isCancellationRequested) return undefined;
      throw error;
    }
  });
}
