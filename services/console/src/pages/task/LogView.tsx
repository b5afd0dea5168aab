// The log of a task, line by line as it is written; the newest lines stay in view until the reader scrolls up.
import { useEffect, useRef, useState } from 'preact/hooks';
import { address } from '../../api/client';
import { type Connection, follow } from '../../api/follow';
import { asProblem, type Problem } from '../../api/problem';
import { fileName, saveStreamed } from '../../api/transfer';
import type { LogLine, Task } from '../../api/types';
import { Card, Empty } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import * as format from '../../format';
import { t, word } from '../../i18n';
import { isEnded } from '../../tasks/verbs';

/** Lines that are kept on the page; the download has all of them. */
const MOST_LINES = 3000;

interface Lines {
  lines: readonly LogLine[];
  dropped: number;
  connection: Connection;
  problem: Problem | undefined;
}

/** Follows the log; what comes within a moment is shown at once. */
function useLog(task: string, stage: string): Lines {
  const [state, set] = useState<Lines>({ lines: [], dropped: 0, connection: 'connecting', problem: undefined });
  useEffect(() => {
    const end = new AbortController();
    let waiting: LogLine[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    set({ lines: [], dropped: 0, connection: 'connecting', problem: undefined });
    const flush = (): void => {
      timer = undefined;
      const more = waiting;
      waiting = [];
      set((old) => {
        const all = [...old.lines, ...more];
        const extra = Math.max(0, all.length - MOST_LINES);
        return { ...old, lines: all.slice(extra), dropped: old.dropped + extra };
      });
    };
    void follow(address('/api/v1/tasks/{id}/logs/stream', { id: task }, { stage }), {
      onConnection: (connection, problem) => set((old) => ({ ...old, connection, problem })),
      onEvent: (event) => {
        waiting.push(JSON.parse(event.data) as LogLine);
        timer ??= setTimeout(flush, 100);
      },
    }, end.signal);
    return () => {
      end.abort();
      clearTimeout(timer);
    };
  }, [task, stage]);
  return state;
}

interface Props {
  task: Task;
  stage: string;
  stages: readonly string[];
  choose(stage: string): void;
}

export function LogView({ task, stage, stages, choose }: Props) {
  const log = useLog(task.id, stage);
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const [problem, setProblem] = useState<Problem>();
  useEffect(() => {
    if (isAtEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [log.lines]);
  const scrolled = ({ currentTarget: it }: { currentTarget: HTMLElement }): void => {
    isAtEnd.current = it.scrollHeight - it.scrollTop - it.clientHeight < 40;
  };
  const save = (): void => {
    const path = address('/api/v1/tasks/{id}/logs', { id: task.id }, { format: 'text', stage });
    saveStreamed(path, `${fileName(task.name)}${stage && `-${stage}`}.log`).catch((error: unknown) => setProblem(asProblem(error)));
  };
  const controls = (
    <>
      {!isEnded(task.state) && <span class={`dot ${log.connection}`}>{word('connection', log.connection)}</span>}
      <select aria-label={t('label.stage')} value={stage} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{t('filter.all_stages')}</option>
        {stages.map((one) => <option key={one} value={one}>{word('stage', one)}</option>)}
      </select>
      <button type="button" class="small" onClick={save}>{t('action.download')}</button>
    </>
  );
  return (
    <Card title={t('section.log')} aside={controls} class="log-card">
      <Notice problem={log.problem ?? problem} />
      <div class="log" ref={box} onScroll={scrolled} tabIndex={0} role="log" aria-label={t('section.log')}>
        {log.dropped > 0 && <p class="dim">{t('log.dropped', { n: log.dropped })}</p>}
        {log.lines.length === 0 && <Empty>{t('empty.log')}</Empty>}
        {log.lines.map((line) => (
          <p key={line.line} class={line.level}>
            <time dateTime={line.at}>{format.clock(line.at)}</time> <span class="dim">{line.stage}</span> {line.message}
          </p>
        ))}
      </div>
    </Card>
  );
}
