// The page as a whole: signed out it asks for a key; signed in it shows what the address names.
import { useEffect } from 'preact/hooks';
import { Redirect, Route, Switch } from 'wouter-preact';
import { ask } from './api/client';
import { followFacts } from './api/facts';
import { useLoad } from './api/load';
import { forgetNames } from './api/names';
import { key, signOut, workspace } from './api/session';
import type { TaskKind } from './api/types';
import { Dialog } from './components/Dialog';
import { Busy, Empty } from './components/Layout';
import { Notice } from './components/Notice';
import { Shell } from './components/Shell';
import { language, t } from './i18n';
import { Access } from './pages/access/Access';
import { Chat } from './pages/chat/Chat';
import { CreateCompilation } from './pages/create/Compilation';
import { CreateEvaluation } from './pages/create/Evaluation';
import { CreateTraining } from './pages/create/Training';
import { DatasetPage } from './pages/data/DatasetPage';
import { Datasets } from './pages/data/Datasets';
import { Deployments } from './pages/data/Deployments';
import { ImportFromHub } from './pages/data/ImportFromHub';
import { ImportModel } from './pages/data/ImportModel';
import { ModelPage } from './pages/data/ModelPage';
import { Models } from './pages/data/Models';
import { UploadDataset } from './pages/data/UploadDataset';
import { Compare } from './pages/evaluation/Compare';
import { Leaderboard } from './pages/evaluation/Leaderboard';
import { Billing } from './pages/money/Billing';
import { SignIn, workspaceOf } from './pages/SignIn';
import { TaskList } from './pages/TaskList';
import { TaskPage } from './pages/task/TaskPage';

export function App() {
  useEffect(() => {
    document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
  }, [language.value]);
  return (
    <>
      {key.value ? <SignedIn key={key.value} /> : <SignIn />}
      <Dialog />
    </>
  );
}

/** A remembered key says first which workspace it opens. */
function SignedIn() {
  const opened = useLoad(() => workspaceOf(key.value ?? ''), []);
  useEffect(() => {
    if (opened.data) workspace.value = opened.data;
  }, [opened.data]);
  useEffect(() => {
    forgetNames();
    return followFacts();
  }, []);
  if (!workspace.value) {
    if (!opened.problem) return <Busy />;
    return (
      <main class="signin">
        <Notice problem={opened.problem} again={opened.reload} />
        <button type="button" onClick={signOut}>{t('action.sign_out')}</button>
      </main>
    );
  }
  return <Shell><Pages /></Shell>;
}

const KINDS: readonly TaskKind[] = ['training', 'evaluation', 'compilation'];

function Pages() {
  return (
    <Switch>
      <Route path="/"><Redirect to="/training" replace /></Route>
      <Route path="/training/new"><CreateTraining /></Route>
      <Route path="/evaluation/new"><CreateEvaluation /></Route>
      <Route path="/evaluation/leaderboard"><Leaderboard /></Route>
      <Route path="/evaluation/compare"><Compare /></Route>
      <Route path="/compilation/new"><CreateCompilation /></Route>
      {KINDS.map((kind) => <Route key={kind} path={`/${kind}`}><TaskList key={kind} kind={kind} /></Route>)}
      {KINDS.map((kind) => (
        <Route key={kind} path={`/${kind}/:id/:tab?`}>{({ id, tab }) => <TaskPage key={id} kind={kind} id={id ?? ''} tab={tab} />}</Route>
      ))}
      <Route path="/tasks/:id">{({ id }) => <AnyTask id={id} />}</Route>
      <Route path="/datasets"><Datasets /></Route>
      <Route path="/datasets/new"><UploadDataset /></Route>
      <Route path="/datasets/hub"><ImportFromHub key="dataset" kind="dataset" /></Route>
      <Route path="/datasets/:id">{({ id }) => <DatasetPage key={id} id={id} />}</Route>
      <Route path="/models"><Models /></Route>
      <Route path="/models/import"><ImportModel /></Route>
      <Route path="/models/hub"><ImportFromHub key="model" kind="model" /></Route>
      <Route path="/models/:id">{({ id }) => <ModelPage key={id} id={id} />}</Route>
      <Route path="/deployments"><Deployments /></Route>
      <Route path="/chat"><Chat /></Route>
      <Route path="/billing"><Billing /></Route>
      <Route path="/access"><Access /></Route>
      <Route><Empty>{t('empty.page')}</Empty></Route>
    </Switch>
  );
}

/** A task that is known by its id only: its page is that of its kind. */
function AnyTask({ id }: { id: string }) {
  const task = useLoad(() => ask('get', '/api/v1/tasks/{id}', { path: { id } }), [id]);
  if (task.data) return <Redirect to={`/${task.data.kind}/${id}`} replace />;
  return task.problem ? <Notice problem={task.problem} /> : <Busy />;
}
