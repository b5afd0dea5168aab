// The form of an import from a hub, the request it stands for, and how far an import is. Pure.
import type { HubImport, Import, ImportKind } from '../api/types';
import { defined } from './number';
import { blankRows, type RowsDraft } from './rows';

/** The fields of rows, and the configuration, are a dataset's only. */
export interface HubDraft extends RowsDraft {
  hub: string;
  revision: string;
  /** One path a line. */
  files: string;
  name: string;
  config: string;
  builtin: boolean;
}

export const blank = (): HubDraft => ({ ...blankRows(), hub: '', revision: '', files: '', name: '', config: '', builtin: false });

const given = (text: string): string | undefined => text.trim() || undefined;

export function toRequest(kind: ImportKind, draft: HubDraft): HubImport {
  const files = draft.files.split('\n').map((line) => line.trim()).filter(Boolean);
  return defined({
    kind,
    hub: draft.hub.trim(),
    revision: given(draft.revision),
    files: files.length > 0 ? files : undefined,
    name: given(draft.name),
    builtin: draft.builtin,
    ...(kind === 'dataset' && {
      config: given(draft.config),
      split: given(draft.split),
      dataset_kind: given(draft.kind),
      format: given(draft.format),
      skip_invalid: draft.skip,
    }),
  });
}

/** The form of a request, to be changed and sent again. */
export function fromRequest(request: HubImport): HubDraft {
  return {
    hub: request.hub,
    revision: request.revision ?? '',
    files: request.files?.join('\n') ?? '',
    name: request.name ?? '',
    config: request.config ?? '',
    kind: request.dataset_kind ?? '',
    format: request.format ?? '',
    split: request.split ?? '',
    skip: request.skip_invalid ?? false,
    builtin: request.builtin ?? false,
  };
}

/** Whether it goes on by itself. */
export const isUnderWay = ({ state }: Import): boolean => state === 'waiting' || state === 'running';

/** Everything has come, and is being checked. */
export const isChecked = ({ state, done_bytes, total_bytes }: Import): boolean => state === 'running' && total_bytes > 0 && done_bytes >= total_bytes;
