/** One function a method of the contract; all of them call the services that `initialize` opens. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { HostNotification, PROTOCOL_VERSION } from '../protocol/host.ts';
import { lastEvaluation, runEvaluation } from './evaluations.ts';
import { findOnHub, getFromHub, suggestionsBeside } from './model-downloads.ts';
import { openServices } from './open-services.ts';
import { PauseSwitch } from './pause-switch.ts';
import type { HostHandlers } from './rpc-server.ts';
import type { Services } from './services.ts';
import type { AbsorbReport } from './study/absorb.ts';

interface RunningAbsorption {
  abort: AbortController;
  pause: PauseSwitch;
  ended: Promise<unknown>;
}

const secondsBetweenReports = 0.25;

/** The store, model and device arrive with `initialize`. */
export function createHandlers(): HostHandlers {
  let services: Services | null = null;
  let store = '';
  let isOpening = false;
  const running = new Map<string, RunningAbsorption>();

  const opened = (): Services => {
    if (services === null) throw new Error('the host is not initialized: send `initialize` first');
    return services;
  };
  const absorptionOf = (folder: string): RunningAbsorption => {
    const absorption = running.get(resolve(folder));
    if (absorption === undefined) throw new Error(`${folder} is not being absorbed by this host`);
    return absorption;
  };

  return {
    async initialize({ storeRoot, modelFolder, device, weights }) {
      if (isOpening) throw new Error('the host is being initialized already: wait for the first `initialize`');
      isOpening = true;
      store = storeRoot;
      try {
        services = await openServices({
          storeRoot,
          ...(modelFolder === undefined ? {} : { modelFolder }),
          ...(device === undefined ? {} : { device }),
          ...(weights === undefined ? {} : { weights }),
        });
      } finally {
        isOpening = false;
      }
      return {
        protocolVersion: PROTOCOL_VERSION,
        hostVersion: hostVersion(),
        device: services.device,
        model: services.model,
      };
    },

    async 'folder/configure'({ folder, exclude }) {
      opened().configure(folder, exclude);
      return null;
    },

    'absorb/estimate': ({ folder, ...options }, { signal }) => opened().estimate(folder, options, signal),
    async 'absorb/start'({ folder, quotaBytes, ...options }, { signal, notify }) {
      const key = resolve(folder);
      if (running.has(key)) throw new Error(`${folder} is being absorbed already`);
      const abort = new AbortController();
      const pause = new PauseSwitch();
      const stop = AbortSignal.any([signal, abort.signal]);
      let last: AbsorbReport | null = null;
      let reported = 0;
      let phase = '';
      const tell = (current: string, report: AbsorbReport) => {
        const now = performance.now();
        if (current === phase && now - reported < secondsBetweenReports * 1000) return;
        reported = now;
        phase = current;
        const { documents, tokens, step = 0, steps, absorbed, documentsSeen, package: turn } = report;
        notify(HostNotification.absorbProgress, {
          folder,
          phase,
          documents,
          tokens,
          step,
          steps,
          absorbed,
          documentsSeen,
          loss: finite(report.loss),
          tokensPerSecond: finite(report.tokensPerSecond),
          secondsLeft: finite(report.secondsLeft),
          ...(turn === undefined ? {} : { package: turn }),
        });
      };
      const absorption = opened().absorb(folder, options, {
        signal: stop,
        whileRunning: () => {
          if (pause.isPaused && last !== null) tell('paused', last);
          return pause.whileRunning(stop);
        },
        onProgress: (report) => {
          last = report;
          tell(report.phase, report);
        },
      });
      running.set(key, { abort, pause, ended: absorption.catch(() => undefined) });
      try {
        const result = await absorption;
        if (quotaBytes !== undefined) await opened().store.prune(quotaBytes, folder);
        return result;
      } finally {
        running.delete(key);
      }
    },
    async 'absorb/pause'({ folder }) {
      absorptionOf(folder).pause.pause();
      return null;
    },
    async 'absorb/resume'({ folder }) {
      absorptionOf(folder).pause.resume();
      return null;
    },
    async 'absorb/cancel'({ folder }) {
      const { abort, ended } = absorptionOf(folder);
      abort.abort();
      await ended;
      return null;
    },

    'files/changed': async ({ folder, changes }) => ({ dirty: await opened().filesChanged(folder, changes) }),
    ask: ({ askId, ...params }, { signal, notify }) =>
      opened().ask(params, (text) => notify(HostNotification.askToken, { askId, text }), signal),
    status: ({ folder }) => opened().status(folder),
    coverage: async ({ folder }) => ({ documents: await opened().coverage(folder) }),
    'eval/run': (params, { signal, notify }) =>
      runEvaluation(opened(), store, params, {
        signal,
        onProgress: ({ stage, name, done }) =>
          notify(HostNotification.evalProgress, { folder: params.folder, stage, name, done }),
      }),
    'eval/last': async ({ folder }) => ({ evaluation: await lastEvaluation(store, folder) }),

    'adapters/list': async () => ({ adapters: await opened().adapters() }),
    'adapters/delete': async ({ repositoryKey, baseModelKey }) =>
      removedResult(await opened().store.delete(repositoryKey, baseModelKey)),
    'adapters/prune': async ({ quotaBytes }) => removedResult(await opened().store.prune(quotaBytes)),
    'adapters/export': async ({ folder, target, package: named }) => ({
      files: await opened().exportAdapter(folder, target, named),
    }),
    'adapters/import': async ({ folder, source, package: named }) => ({
      version: await opened().importAdapter(folder, source, named),
    }),
    'adapters/rollBack': async ({ folder, package: named }) => ({ version: await opened().rollBack(folder, named) }),
    'models/list': async () => {
      const models = await opened().models();
      return { models, suggested: suggestionsBeside(models) };
    },
    'models/find': (params) => findOnHub(params),
    'models/get': (params, { signal, notify }) =>
      getFromHub(params, signal, (progress) => notify(HostNotification.modelsProgress, progress)),

    async close() {
      for (const { abort } of running.values()) abort.abort();
      await Promise.all([...running.values()].map(({ ended }) => ended));
      await services?.close();
    },
  };
}

function removedResult(
  removed: readonly { repositoryKey: string; baseModelKey: string; version: number | null; bytes: number }[],
) {
  return {
    removed: removed.map((entry) => ({ ...entry, version: entry.version ?? 0 })),
    freedBytes: removed.reduce((total, { bytes }) => total + bytes, 0),
  };
}

function finite(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value;
}

function hostVersion(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;
}
