"""What commands do, by their words."""

from __future__ import annotations

import pytest

from gameday.adapters.runbook_document import read_document
from gameday.model.runbook import Block
from gameday.runbooks.words import changes, endless, programs


def block(command: str, language: str = "bash") -> Block:
    document = read_document(f"## Diagnosis\n\n```{language}\n{command}\n```\n", file="a.md")
    return document.blocks[0]


CHANGING = {
    "kubectl delete pod a": "kubectl delete",
    "kubectl -n shop --context=eu scale deploy/a --replicas=0": "kubectl scale",
    "kubectl rollout undo deploy/a": "kubectl rollout undo",
    "oc adm upgrade --to=4.16.3": "oc adm upgrade",
    "oc adm drain node1": "oc adm drain",
    "sudo -u root systemctl restart nginx": "systemctl restart",
    "service nginx reload": "service … reload",
    "docker compose down": "docker compose down",
    "docker rm -f a": "docker rm",
    "helm rollback shop 3": "helm rollback",
    "terraform apply": "terraform apply",
    "rm -rf /var/lib/x": "rm",
    "find . -name core | xargs -n 1 rm": "rm",
    "kill -9 12": "kill",
    "sed -i s/a/b/ /etc/x": "sed -i",
    "redis-cli -h r FLUSHALL": "redis-cli FLUSHALL",
    "redis-cli config set maxmemory 1": "redis-cli CONFIG SET",
    "psql -c \"update orders set state = 'x'\"": "psql: UPDATE ORDERS SET",
    "psql -c 'select pg_terminate_backend(12)'": "psql: PG_TERMINATE_BACKEND",
    "mysql -e 'DROP TABLE orders'": "mysql: DROP TABLE",
    "aws ec2 terminate-instances --instance-ids i": "aws ec2 terminate-instances",
    "gcloud compute instances reset a": "gcloud … reset",
    "curl -XDELETE http://es:9200/orders": "curl -X DELETE",
    "curl --request=PUT http://a/b": "curl -X PUT",
    "curl -sX POST http://a/admin": "curl -X POST",
    "curl -fsSXDELETE http://a/admin": "curl -X DELETE",
    "curl -sSLkX PATCH http://a/admin": "curl -X PATCH",
    "curl -4fX put http://a/admin": "curl -X PUT",
    "curl -X GET -X DELETE http://a/admin": "curl -X DELETE",
    "curl -HX-Token:1 -d x http://a/admin": "curl -X POST",
    "curl -4d x http://a/admin": "curl -X POST",
    "curl -#T x http://a/admin": "curl -X PUT",
    "wget --method=delete http://a/admin": "wget --method=DELETE",
    "kubectl apply --dry-run=none -f x": "kubectl apply",
    "kubectl delete --dry-run=false pod a": "kubectl delete",
    "helm upgrade --dry-run=none shop ./shop": "helm upgrade",
    "amtool silence add alertname=a": "amtool silence add",
    "ssh -p 22 db 'sudo reboot'": "reboot",
    "bash -c 'kubectl delete pod a'": "kubectl delete",
    "kubectl exec a -- sh -c 'rm -rf /data'": "rm",
    "docker exec -it -u root a rm /x": "rm",
    "if true; then kubectl cordon n; fi": "kubectl cordon",
    "echo $(kubectl taint node n a=b:NoSchedule)": "kubectl taint",
    "tc qdisc del dev eth0 root": "tc qdisc del",
    "iptables -F": "iptables -F",
    "bash -c 'cd /x && rm -rf y'": "rm",
    "bash -c 'if x; then rm -rf y; fi'": "rm",
    "sh -c 'ls\nsystemctl restart x'": "systemctl restart",
    "sh -c 'echo \"a; b\" | xargs kill'": "kill",
    'sh -c "echo it\'s; rm -rf y"': "rm",
    "ssh web1 'systemctl status x; systemctl restart x'": "systemctl restart",
    "ssh web1 'sudo sh -c \"rm -rf /x\"'": "rm",
    "kubectl exec a -- sh -c 'nginx -t && nginx -s reload'": "nginx -s",
    "su app -c 'rm -rf /x'": "rm",
    "setsid rm -rf /x": "rm",
    "nsenter -t 1 -n ip link set eth0 down": "ip link set",
    "chroot /host systemctl restart x": "systemctl restart",
    "find /var -name core -delete": "find -delete",
    "find /var -name core -exec rm {} +": "rm",
    "sed -i.bak s/a/b/ x": "sed -i",
    "sed -Ei s/a/b/ x": "sed -i",
    "sed --in-place=.bak s/a/b/ x": "sed -i",
    "perl -pi -e s/a/b/ x": "perl -i",
    "sysctl vm.swappiness=1": "sysctl vm.swappiness=1",
    "docker compose -f a.yml restart web": "docker compose restart",
    "docker-compose -f a.yml restart web": "docker-compose restart",
    "docker -H unix:///x restart web": "docker restart",
    "helm -n shop rollback shop 3": "helm rollback",
    "git -C /srv push": "git push",
    "systemctl -H web1 restart nginx": "systemctl restart",
    "aws --profile p --region r rds reboot-db-instance": "aws rds reboot-db-instance",
    "kubectl --token a delete pod b": "kubectl delete",
    "kubectl delete --dry-run=False pod a": "kubectl delete",
    "sh -c 'A=1 rm -rf /srv/x'": "rm",
    "sh -c 'A=1 B=2 rm -rf /srv/x'": "rm",
    "sh -c -- 'rm x'": "rm",
    "sh -c -e 'rm x'": "rm",
    "bash -ce 'rm x'": "rm",
    "bash -c -o pipefail 'rm x'": "rm",
    "/bin/sh -c 'rm x'": "rm",
    "sh -c 'echo \"$(rm x)\"'": "rm",
    "sh -c 'echo \"`rm x`\"'": "rm",
    'sh -c \'echo "$(ls "$(rm x)")"\'': "rm",
    "ssh web1 'echo \"$(systemctl restart x)\"'": "systemctl restart",
    "/usr/bin/sudo -u root rm x": "rm",
    "su --command 'rm x' app": "rm",
    "ssh h 'X=1 sudo systemctl restart web'": "systemctl restart",
    "ssh h X=1 sudo systemctl restart web": "systemctl restart",
    "ssh h uptime ';' sudo systemctl restart web": "systemctl restart",
    "ssh -S none h sudo reboot": "reboot",
    "ssh h psql -c 'delete from orders'": "psql: DELETE FROM",
    "eval systemctl restart web": "systemctl restart",
    "eval 'systemctl restart web'": "systemctl restart",
    "eval -- 'ls; systemctl' restart web": "systemctl restart",
    "docker compose exec web rm -rf /x": "rm",
    "docker compose -p shop exec -T --index 2 web rm -rf /x": "rm",
    "docker-compose exec web rm -rf /x": "rm",
    "docker container exec web kill 1": "kill",
    "docker -H tcp://h:1 exec web rm x": "rm",
    "podman --remote exec web sh -c 'X=1 rm x'": "rm",
    "perl -0pi -e s/a/b/ f": "perl -i",
    "perl -0777pi.bak -e s/a/b/ f": "perl -i",
}
LOOKING = [
    "kubectl get pods",
    "kubectl describe pod delete",
    "kubectl auth can-i delete pods",
    "oc adm upgrade",
    "oc create token prometheus-k8s",
    "kubectl get pods -l app=delete",
    "kubectl apply --dry-run=client -f x",
    "kubectl apply --dry-run=server -f x",
    "helm upgrade --dry-run shop ./shop",
    "curl -sX GET http://a/admin",
    "curl -fsSXHEAD http://a/admin",
    "curl -oX http://a/DELETE",
    "curl -4G -d q=1 http://a/search",
    "kubectl rollout history deploy/a",
    "systemctl status nginx",
    "docker ps",
    "docker compose ps",
    "helm list",
    "terraform plan",
    "rm /tmp/x",
    "kill -0 12",
    "sed s/a/b/ /etc/x",
    "redis-cli get a",
    "psql -c 'select updated from orders'",
    "psql -c \"select 'drop table x'\"",
    "aws ec2 describe-instances",
    "curl http://a/delete",
    "curl -X POST http://p:9090/api/v1/query -d query=up",
    "curl -X POST http://es/_search",
    "ssh db uptime",
    "echo rm -rf /",
    "grep delete /var/log/x",
    "git log",
    "ip addr show",
    "iptables -L -n",
    "crontab -l",
    "bash -c 'cd /x && ls -l; df -h'",
    "ssh web1 'grep restart /var/log/x | tail -n 5'",
    "sh -c 'echo \"x; rm -rf y\"'",
    "sh -c 'echo \"$(ls) $((1 + 2)) `date`\"'",
    "sh -c 'echo \"$(\"'",
    "find /var -name core -exec ls {} +",
    "sed -n s/in/out/p x",
    "sed -e s/i/j/ x",
    "perl -ne print x",
    "sysctl vm.swappiness",
    "docker compose -f a.yml ps",
    "helm -n upgrade list",
    "git -C /srv log",
    "systemctl -H restart status nginx",
    "aws --profile start-up --region r rds describe-db-instances",
    "kubectl -n delete get pods",
    "sh -c",
    "sh -c --",
    "sh -c -- 'A=1'",
    "sh -c 'A=1 ls'",
    "sh -c 'echo A=1 rm'",
    "bash ./look.sh -c",
    "su app --command",
    "ssh h 'X=1 uptime'",
    "ssh h grep restart /var/log/x",
    "ssh h 'cat /usr/bin/rm'",
    "eval",
    "eval --",
    "eval 'echo rm'",
    "docker exec",
    "docker compose exec web",
    "docker compose exec web cat rm",
    "docker logs exec",
    "docker container exec web ps",
    "perl -0777ne print f",
]
ENDLESS = {
    "tail -f /var/log/x": "tail -f",
    "tail -n 20 -F /var/log/x": "tail -f",
    "journalctl -fu nginx": "journalctl -f",
    "kubectl logs a -f": "kubectl logs -f",
    "kubectl get pods -w": "kubectl get -w",
    "kubectl port-forward a 80": "kubectl port-forward",
    "docker stats": "docker stats",
    "docker logs --follow a": "docker logs -f",
    "top": "top",
    "watch -n 1 df": "watch",
    "ping host": "ping",
    "tcpdump port 80": "tcpdump",
    "vmstat 1": "vmstat 1",
    "psql -c 'select 1'": "psql",
    "kubectl exec a -- psql -c 'select 1'": "psql",
    "redis-cli monitor": "redis-cli monitor",
    "kubectl rollout status deploy/a": "kubectl rollout status",
}
ENDING = [
    "tail -n 50 /var/log/x",
    "journalctl -u nginx -n 20",
    "kubectl logs a --tail 5",
    "kubectl get pods",
    "timeout 10 kubectl logs -f a",
    "sudo timeout -k 1 10 tail -f x",
    "kubectl exec -it a -- df -h",
    "docker exec a df",
    "kubectl exec -it a -- bash",
    "docker exec -ti a sh",
    "ssh db",
    "less /var/log/x",
    "kubectl edit deploy/a",
    "docker stats --no-stream",
    "top -bn1",
    "top -b -n 1",
    "ping -c 3 host",
    "ping -c3 host",
    "tcpdump -c 10 port 80",
    "vmstat 1 5",
    "PGOPTIONS='-c statement_timeout=5s' psql -c 'select 1'",
    "psql -c 'set statement_timeout to 5000; select 1'",
    "ssh db uptime",
    "redis-cli info",
    "kubectl rollout status deploy/a --timeout=30s",
    "nc -z host 80",
    "sleep 3",
]


@pytest.mark.parametrize(("command", "what"), CHANGING.items())
def test_what_changes_something(command: str, what: str) -> None:
    assert [act.what for act in changes(block(command))] == [what]


@pytest.mark.parametrize("command", LOOKING)
def test_what_only_looks(command: str) -> None:
    assert [act.what for act in changes(block(command))] == []


@pytest.mark.parametrize(("command", "what"), ENDLESS.items())
def test_what_may_never_end(command: str, what: str) -> None:
    assert [act.what for act in endless(block(command))] == [what]


@pytest.mark.parametrize("command", ENDING)
def test_what_ends(command: str) -> None:
    assert [act.what for act in endless(block(command))] == []


def test_the_statements_of_sql() -> None:
    text = "SELECT * FROM orders;\nUPDATE orders SET a = 1;\n-- delete from x\n"
    assert [(a.what, a.line) for a in changes(block(text, "sql"))] == [("UPDATE ORDERS SET", 5)]


def test_programs_with_those_that_run_them_but_no_functions_and_variables() -> None:
    text = "look() { df -h; }\nlook\nA=1 sudo -u x timeout 5 kubectl get pods | grep a\n$TOOL x\n"
    names = [act.what for act in programs(block(text))]
    assert names == ["df", "sudo", "timeout", "kubectl", "grep", "$TOOL"]
