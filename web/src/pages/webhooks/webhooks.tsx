// Webhooks: addresses that are told when a job or a batch ends.
import { useState } from "preact/hooks";
import { useList } from "../../api/live";
import type { WebhookEndpoint } from "../../api/objects";
import { Button } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { Empty, Loaded, PageHead, Status, Time } from "../../kit/show";
import { Table } from "../../kit/table";
import { EndpointForm } from "./endpoint_form";
import { EndpointMenu } from "./endpoint_page";

export function endpointState(endpoint: WebhookEndpoint): string {
    return endpoint.enabled ? "enabled" : "disabled";
}

export function Webhooks() {
    const endpoints = useList<WebhookEndpoint>("/v1/webhook_endpoints");
    const [adding, setAdding] = useState(false);
    const add = (
        <Button kind="primary" icon="plus" onPress={() => setAdding(true)}>
            Add endpoint
        </Button>
    );
    return (
        <>
            <PageHead title="Webhooks" about="Addresses that are told, signed, when a job or a batch ends.">
                {add}
            </PageHead>
            <Loaded live={endpoints}>
                {(list) =>
                    list.length ? (
                        <Table
                            label="Webhook endpoints"
                            rows={list}
                            hasMore={endpoints.hasMore}
                            onMore={endpoints.more}
                            columns={[
                                { title: "Address", wide: true, cell: (endpoint) => <a href={`/webhooks/${endpoint.id}`}>{endpoint.url}</a> },
                                { title: "Note", cell: (endpoint) => endpoint.description ?? "–" },
                                { title: "Events", numeric: true, cell: (endpoint) => endpoint.events.length },
                                { title: "State", cell: (endpoint) => <Status of={endpointState(endpoint)} /> },
                                { title: "Created", cell: (endpoint) => <Time at={endpoint.created_at} /> },
                                { title: "Actions", untitled: true, cell: (endpoint) => <EndpointMenu endpoint={endpoint} /> },
                            ]}
                        />
                    ) : (
                        <Empty icon="webhooks" title="No endpoints yet" action={add}>
                            Have your own service told when a model is ready, instead of asking again and again.
                        </Empty>
                    )
                }
            </Loaded>
            <Dialog open={adding} title="Add an endpoint" onClose={() => setAdding(false)}>
                <EndpointForm onClose={() => setAdding(false)} />
            </Dialog>
        </>
    );
}
