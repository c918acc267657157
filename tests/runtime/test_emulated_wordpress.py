"""WordPress, with its database and without."""

from podworld import Node, on_a_node

from cluster.pb.cri.v1 import api_pb2 as cri

ENV = {"WORDPRESS_DB_HOST": "127.0.0.1", "WORDPRESS_DB_PASSWORD": "secret"}


def test_there_is_no_page_without_the_database_and_then_the_installation() -> None:
    async def story(node: Node) -> None:
        blog = await node.run("blog", "wordpress:6.2.1-apache", name="blog")
        assert "500 Internal Server Error" in await node.get("blog", 80)
        assert "Error establishing a database connection" in await node.get("blog", 80)
        said = await node.said(blog)
        assert said[0] == "WordPress not found in /var/www/html - copying now..."
        assert '"GET / HTTP/1.1" 500' in said[-1]

    on_a_node(story)


def test_with_its_database_it_sends_everybody_to_the_installation() -> None:
    async def story(node: Node) -> None:
        root = [cri.KeyValue(key="MYSQL_ROOT_PASSWORD", value="secret")]
        await node.run("blog", "mysql:8.0", name="mysql", envs=root)
        envs = [cri.KeyValue(key=key, value=value) for key, value in ENV.items()]
        await node.run("blog", "wordpress:6.2.1-apache", name="blog", envs=envs)
        answer = await node.get("blog", 80)
        assert answer.startswith("HTTP/1.1 302 Found")
        assert "/wp-admin/install.php" in answer
        assert "Installation" in await node.get("blog", 80, "/wp-admin/install.php")

    on_a_node(story)


def test_another_program_is_run_in_its_stead() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("blog", "wordpress", args=("echo", "hi"))
        assert (await node.ended(cid)).exit_code == 0
        assert await node.said(cid) == ["hi"]

    on_a_node(story)
