// A conversation with a deployed model. It lies on this page only, and is gone when it is left.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask } from '../../api/client';
import { useLoad } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { Area, Numeric } from '../../components/Field';
import { Card, Empty, Heading } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { t, word } from '../../i18n';
import { useQuery } from '../create/clone';
import { answer, type Message } from './stream';

export function Chat() {
  const wanted = useQuery('model');
  const served = useLoad(async () => (await ask('get', '/v1/models', {})).data.map((one) => one.id), []);
  const [chosen, setModel] = useState(wanted);
  const [system, setSystem] = useState('');
  const [temperature, setTemperature] = useState('0.7');
  const [most, setMost] = useState('256');
  const [turns, setTurns] = useState<Message[]>([]);
  const [ended, setEnded] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem>();
  const [end, setEnd] = useState<AbortController | null>(null);
  const model = chosen || served.data?.[0] || '';
  useEffect(() => () => end?.abort(), [end]);
  const say = async (text: string, before: readonly Message[]): Promise<void> => {
    const asked: Message[] = [...before, { role: 'user', content: text }];
    const own = new AbortController();
    setTurns([...asked, { role: 'assistant', content: '' }]);
    setProblem(undefined);
    setEnded(null);
    setEnd(own);
    const whole: Message[] = system.trim() ? [{ role: 'system', content: system }, ...asked] : asked;
    const add = (piece: string): void => setTurns((old) => old.map((turn, place) => (place === old.length - 1 ? { ...turn, content: turn.content + piece } : turn)));
    try {
      setEnded(await answer(whole, { model, temperature: Number(temperature), max_tokens: Number(most) }, add, own.signal));
    } catch (error) {
      if (!own.signal.aborted) setProblem(asProblem(error));
      setTurns((old) => (old[old.length - 1]?.content ? old : old.slice(0, -1)));
    } finally {
      setEnd(null);
    }
  };
  return (
    <>
      <Heading title={t('nav.chat')} about={t('about.chat')}>
        <select aria-label={t('deployment.model')} value={model} onChange={(event) => setModel(event.currentTarget.value)}>
          {(served.data ?? []).map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
        <button type="button" disabled={turns.length === 0 || end != null} onClick={() => (setTurns([]), setProblem(undefined))}>{t('chat.clear')}</button>
      </Heading>
      <Notice problem={served.problem} again={served.reload} />
      {served.data?.length === 0 && <Empty>{t('empty.chat')}</Empty>}
      <div class="columns wide-left">
        <div>
          <Turns turns={turns} isAnswering={end != null} ended={ended} />
          <Notice problem={problem} />
          <Compose isAnswering={end != null} isOff={model === ''} say={(text) => void say(text, turns)} stop={() => end?.abort()} />
        </div>
        <Card title={t('section.settings')}>
          <div class="fields one">
            <Area name="system" label={t('chat.system')} value={system} rows={4} onChange={setSystem} />
            <Numeric name="temperature" label={t('chat.temperature')} value={temperature} onChange={setTemperature} />
            <Numeric name="max_tokens" label={t('chat.max_tokens')} value={most} onChange={setMost} />
          </div>
        </Card>
      </div>
    </>
  );
}

function Turns({ turns, isAnswering, ended }: { turns: readonly Message[]; isAnswering: boolean; ended: string | null }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.scrollTo({ top: box.current.scrollHeight }), [turns]);
  return (
    <div class="chat" ref={box} role="log" aria-live="polite" aria-busy={isAnswering} tabIndex={0}>
      {turns.length === 0 && <Empty>{t('chat.begin')}</Empty>}
      {turns.map((turn, place) => (
        <div key={place} class={`bubble ${turn.role}`}>
          <small class="dim">{word('role_of_turn', turn.role)}</small>
          <p class="text">{turn.content}{isAnswering && place === turns.length - 1 && <span class="caret" aria-hidden="true" />}</p>
        </div>
      ))}
      {ended === 'length' && <p class="dim">{t('chat.cut')}</p>}
    </div>
  );
}

function Compose({ isAnswering, isOff, say, stop }: { isAnswering: boolean; isOff: boolean; say(text: string): void; stop(): void }) {
  const [text, setText] = useState('');
  const send = (event: Event): void => {
    event.preventDefault();
    if (!text.trim() || isAnswering || isOff) return;
    say(text.trim());
    setText('');
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
  };
  return (
    <form class="compose" onSubmit={send}>
      <textarea rows={3} aria-label={t('chat.message')} placeholder={t('chat.placeholder')} value={text} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={key} />
      {isAnswering ? <button type="button" onClick={stop}>{t('chat.stop')}</button> : <button type="submit" class="primary" disabled={isOff || !text.trim()}>{t('chat.send')}</button>}
    </form>
  );
}
