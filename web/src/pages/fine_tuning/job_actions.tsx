// What can be done with a job, wherever it is shown.
import { api, modelPath } from "../../api/client";
import { changed } from "../../api/live";
import type { Job } from "../../api/objects";
import { confirm } from "../../kit/dialog";
import type { Action } from "../../kit/menu";
import { toast } from "../../kit/toast";

const JOBS = "/v1/fine_tuning/jobs";

export const jobTitle = (job: Job) => job.user_provided_suffix ?? job.id;

export async function pauseJob(job: Job): Promise<void> {
    await api.post(`${JOBS}/${job.id}/pause`);
    toast("The job rests; what it has learned is kept.");
    changed(JOBS);
}

export async function resumeJob(job: Job): Promise<void> {
    await api.post(`${JOBS}/${job.id}/resume`);
    toast("The job goes on.");
    changed(JOBS);
}

export async function cancelJob(job: Job): Promise<void> {
    const text = "It ends where it is. Checkpoints that it has made are kept; it cannot be gone on with.";
    if (!(await confirm({ title: `Cancel “${jobTitle(job)}”?`, text, action: "Cancel the job", danger: true }))) return;
    await api.post(`${JOBS}/${job.id}/cancel`);
    toast("The job is cancelled.");
    changed(JOBS);
}

export const canPause = (job: Job) => job.status === "running" || job.status === "queued";
export const canCancel = (job: Job) => canPause(job) || job.status === "paused" || job.status === "validating_files";

/** The create form, filled in as this job was. */
export function tuneAgain(job: Job): string {
    return `/fine-tuning/new?from=${job.id}`;
}

export function jobActions(job: Job): (Action | false)[] {
    const model = job.fine_tuned_model;
    return [
        model !== null && { label: "Chat", icon: "playground", href: `/playground?model=${encodeURIComponent(model)}` },
        model !== null && { label: "Compare with its base", icon: "compare", href: `/playground?model=${encodeURIComponent(model)}&compare=${encodeURIComponent(job.model)}` },
        model !== null && { label: "Download the adapter", icon: "download", href: `/v1/adapters/${modelPath(model)}`, download: true },
        { label: "Compare with other jobs", icon: "activity", href: `/fine-tuning/compare?jobs=${job.id}` },
        { label: "Tune again", icon: "retry", href: tuneAgain(job) },
        canPause(job) && { label: "Pause", icon: "pause", onPress: () => pauseJob(job) },
        job.status === "paused" && { label: "Resume", icon: "play", onPress: () => resumeJob(job) },
        canCancel(job) && { label: "Cancel", icon: "stop", danger: true, onPress: () => cancelJob(job) },
    ];
}
