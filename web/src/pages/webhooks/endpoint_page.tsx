// One endpoint: what it is told, and every delivery with what was sent and what was answered.
import { useState } from "preact/hooks";
import { api } from "../../api/client";
import { changed, useList, useLive } from "../../api/live";
import type { WebhookDelivery, WebhookEndpoint } from "../../api/objects";
import { Button } from "../../kit/button";
import { confirm, Dialog } from "../../kit/dialog";
import { Menu } from "../../kit/menu";
import { Empty, Facts, Id, Loaded, Note, PageHead, Status, Time } from "../../kit/show";
import { Table } from "../../kit/table";
import { toast } from "../../kit/toast";
import { navigate, place, setQuery } from "../../router";
import type { PageProps } from "../pages";
import { EndpointForm } from "./endpoint_form";

const path = (endpoint: { id: string }) => `/v1/webhook_endpoints/${endpoint.id}`;

async function test(endpoint: WebhookEndpoint) {
    await api.post(`${path(endpoint)}/test`);
    toast("A test event is on its way.");
    changed(path(endpoint));
}

async function enable(endpoint: WebhookEndpoint, enabled: boolean) {
    await api.post(path(endpoint), { enabled });
    toast(enabled ? "Deliveries go on." : "Deliveries are held back.");
    changed("/v1/webhook_endpoints");
}

async function remove(endpoint: WebhookEndpoint) {
    if (!(await confirm({ title: "Delete this endpoint?", text: `${endpoint.url} is told nothing any more, and the list of its deliveries is gone.`, action: "Delete", danger: true }))) return;
    await api.delete(path(endpoint));
    changed("/v1/webhook_endpoints", path(endpoint));
    if (place.value.path !== "/webhooks") navigate("/webhooks");
}

export function EndpointMenu({ endpoint }: { endpoint: WebhookEndpoint }) {
    return (
        <Menu
            label={`Actions of ${endpoint.url}`}
            actions={[
                { label: "Send a test", icon: "send", onPress: () => test(endpoint) },
                endpoint.enabled
                    ? { label: "Hold deliveries back", icon: "pause", onPress: () => enable(endpoint, false) }
                    : { label: "Go on with deliveries", icon: "play", onPress: () => enable(endpoint, true) },
                { label: "Delete", icon: "remove", danger: true, onPress: () => remove(endpoint) },
            ]}
        />
    );
}

function pretty(body: string): string {
    try {
        return JSON.stringify(JSON.parse(body), null, 2);
    } catch {
        return body;
    }
}

function DeliveryView({ endpoint, delivery }: { endpoint: string; delivery: WebhookDelivery }) {
    async function again() {
        await api.post(`/v1/webhook_endpoints/${endpoint}/deliveries/${delivery.id}/redeliver`);
        toast("It is sent again.");
        changed(`/v1/webhook_endpoints/${endpoint}`);
    }
    return (
        <>
            <div class="dialog-body">
                <Facts
                    rows={[
                        ["State", <Status of={delivery.status} />],
                        ["Event", <Id>{delivery.event_id}</Id>],
                        ["Attempts", delivery.attempts],
                        ["Last attempt", <Time at={delivery.last_attempt_at} />],
                        ["Next attempt", <Time at={delivery.next_attempt_at} />],
                        ["Answer's status", delivery.response_status ?? "none"],
                    ]}
                />
                <h3>Sent</h3>
                <pre class="body-text" tabIndex={0}>
                    {pretty(delivery.request_body)}
                </pre>
                <h3>Answered</h3>
                <pre class="body-text" tabIndex={0}>
                    {delivery.response ?? "Nothing yet."}
                </pre>
            </div>
            <footer class="dialog-foot">
                <Button kind="primary" icon="retry" onPress={again}>
                    Redeliver
                </Button>
            </footer>
        </>
    );
}

function Deliveries({ id }: { id: string }) {
    const deliveries = useList<WebhookDelivery>(`/v1/webhook_endpoints/${id}/deliveries`, {}, () => 4000);
    const shown = place.value.query.get("delivery");
    const open = deliveries.data?.find((delivery) => delivery.id === shown);
    return (
        <section class="card">
            <h2>Deliveries</h2>
            <Loaded live={deliveries}>
                {(list) =>
                    list.length ? (
                        <Table
                            label="Deliveries"
                            rows={list}
                            hasMore={deliveries.hasMore}
                            onMore={deliveries.more}
                            columns={[
                                {
                                    title: "Event",
                                    wide: true,
                                    cell: (delivery) => (
                                        <button type="button" class="link" onClick={() => setQuery({ delivery: delivery.id })}>
                                            {delivery.event_type}
                                        </button>
                                    ),
                                },
                                { title: "State", cell: (delivery) => <Status of={delivery.status} /> },
                                { title: "Answer", numeric: true, cell: (delivery) => delivery.response_status ?? "–" },
                                { title: "Attempts", numeric: true, cell: (delivery) => delivery.attempts },
                                { title: "Created", cell: (delivery) => <Time at={delivery.created_at} /> },
                            ]}
                        />
                    ) : (
                        <Empty icon="send" title="Nothing was sent yet">
                            Send a test from the menu above, or wait for a job to end.
                        </Empty>
                    )
                }
            </Loaded>
            <Dialog wide open={open !== undefined} title={open?.event_type ?? ""} onClose={() => setQuery({ delivery: null })}>
                {open && <DeliveryView endpoint={id} delivery={open} />}
            </Dialog>
        </section>
    );
}

export function EndpointPage({ parameters }: PageProps) {
    const id = parameters.endpoint!;
    const live = useLive<WebhookEndpoint>(`/v1/webhook_endpoints/${encodeURIComponent(id)}`);
    const [editing, setEditing] = useState(false);
    const endpoint = live.data;
    return (
        <>
            <PageHead title={endpoint?.url ?? "Endpoint"} back={{ href: "/webhooks", label: "Webhooks" }}>
                {endpoint && (
                    <>
                        <Button icon="send" onPress={() => test(endpoint)}>
                            Send a test
                        </Button>
                        <Button icon="edit" onPress={() => setEditing(true)}>
                            Change
                        </Button>
                        <EndpointMenu endpoint={endpoint} />
                    </>
                )}
            </PageHead>
            <Loaded live={live} lines={3}>
                {(endpoint) => (
                    <>
                        {endpoint.disabled_reason && (
                            <Note kind="warning" title="This endpoint was disabled">
                                {endpoint.disabled_reason}
                            </Note>
                        )}
                        <section class="card">
                            <Facts
                                rows={[
                                    ["Id", <Id>{endpoint.id}</Id>],
                                    ["State", <Status of={endpoint.enabled ? "enabled" : "disabled"} />],
                                    ["Note", endpoint.description ?? "–"],
                                    ["Events", endpoint.events.join(", ")],
                                    ["Created", <Time at={endpoint.created_at} />],
                                ]}
                            />
                        </section>
                        <Deliveries id={endpoint.id} />
                        <Dialog open={editing} title="Change the endpoint" onClose={() => setEditing(false)}>
                            <EndpointForm endpoint={endpoint} onClose={() => setEditing(false)} />
                        </Dialog>
                    </>
                )}
            </Loaded>
        </>
    );
}
